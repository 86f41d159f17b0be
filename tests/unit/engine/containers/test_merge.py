import pytest

from sampan.api.wire.container import ContainerConfig, HealthConfig
from sampan.engine.containers.merge import command, merged
from sampan.errors import InvalidArgument
from sampan.oci.image import Healthcheck, RunConfig

IMAGE = RunConfig(
    user="web",
    env=["PATH=/bin", "A=image"],
    entrypoint=["/start"],
    cmd=["serve"],
    labels={"a": "image", "b": "image"},
    exposed_ports={"80/tcp": {}},
    volumes={"/data": None},
    working_dir="/srv",
    stop_signal="SIGQUIT",
    healthcheck=Healthcheck(test=["CMD", "true"], interval=5_000_000),
)


def test_what_is_not_asked_for_comes_from_the_image() -> None:
    found = merged(ContainerConfig(image="web"), IMAGE)
    assert command(found) == ("/start", ["serve"])
    assert (found.user, found.working_dir, found.stop_signal) == ("web", "/srv", "SIGQUIT")
    assert (found.volumes, found.exposed_ports) == ({"/data": {}}, {"80/tcp": {}})
    assert found.healthcheck == HealthConfig(test=["CMD", "true"], interval=5_000_000)


def test_what_is_asked_for_wins_and_collections_are_united() -> None:
    asked = ContainerConfig(
        user="root", env=["A=mine", "B=c"], labels={"b": "mine"}, volumes={"/more": {}}, exposed_ports={"81/udp": {}}
    )
    found = merged(asked, IMAGE)
    assert found.user == "root"
    assert found.env == ["A=mine", "B=c", "PATH=/bin"]
    assert found.labels == {"a": "image", "b": "mine"}
    assert set(found.volumes or {}) == {"/data", "/more"}
    assert set(found.exposed_ports) == {"80/tcp", "81/udp"}


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "expected"),
    [
        (None, ["x"], ("/start", ["x"])),
        (["/e"], None, ("/e", [])),
        (["/e"], ["x"], ("/e", ["x"])),
        ([""], ["x", "y"], ("x", ["y"])),
    ],
)
def test_an_entrypoint_drops_the_images_command(
    entrypoint: list[str] | None, cmd: list[str] | None, expected: tuple[str, list[str]]
) -> None:
    assert command(merged(ContainerConfig(entrypoint=entrypoint, cmd=cmd), IMAGE)) == expected


def test_without_any_command_there_is_nothing_to_run() -> None:
    with pytest.raises(InvalidArgument, match="no command specified"):
        command(merged(ContainerConfig(), RunConfig()))
