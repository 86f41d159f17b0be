"""Each filter on a container of its own making; how they combine is seen in a listing (test_list)."""

from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import PortBinding
from sampan.engine.containers.create import create
from sampan.engine.containers.filters import plan
from sampan.engine.containers.start import start

WEB = asked(
    name="web",
    labels={"tier": "front", "empty": ""},
    exposed_ports={"80/tcp": {}, "53/udp": {}},
    host=HostConfig(binds=["/tmp:/t", "vol:/v"], port_bindings={"81/tcp": [PortBinding(host_port="8081")]}),
)


@pytest.mark.parametrize(
    ("name", "values", "is_accepted"),
    [
        ("name", ["web"], True),
        ("name", ["^web$"], True),
        ("name", ["^/web$"], True),
        ("name", ["other", "eb"], True),
        ("name", ["^eb"], False),
        ("label", ["tier"], True),
        ("label", ["tier=front", "empty="], True),
        ("label", ["tier=front", "nosuch"], False),
        ("label", ["tier=fro"], False),
        ("label!", ["tier"], False),
        ("label!", ["tier=back"], True),
        ("volume", ["vol"], True),
        ("volume", ["/tmp"], True),
        ("volume", ["/t"], True),
        ("volume", ["tmp"], False),
        ("network", ["bridge"], True),
        ("network", ["host"], False),
        ("expose", ["80"], True),
        ("expose", ["53"], False),
        ("expose", ["53/udp"], True),
        ("expose", ["79-81"], True),
        ("expose", ["81"], True),
        ("expose", ["82-90/tcp"], False),
        ("publish", ["80"], False),
        ("isolation", ["default"], True),
        ("isolation", ["hyperv"], False),
        ("is-task", ["0"], True),
        ("health", ["healthy"], False),
        ("health", ["healthy", "none"], True),
        ("status", ["created", "dead"], True),
        ("status", ["running"], False),
        ("exited", ["0"], False),
        ("name", [], True),
    ],
)
def test_a_filter_accepts(tmp_path: Path, name: str, values: list[str], is_accepted: bool) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, WEB)
        assert plan(world.deps, {name: values}).accepts(world.deps.registry.get("web")) is is_accepted

    play(tmp_path, scenario)


def test_an_id_may_be_given_by_its_beginning(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, WEB)
        container = world.deps.registry.get("web")
        assert plan(world.deps, {"id": [created.id[:3]]}).accepts(container)
        assert not plan(world.deps, {"id": [created.id[1:]]}).accepts(container)

    play(tmp_path, scenario)


def test_a_running_container_is_found_by_its_networks_id_and_not_by_an_exit_code(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, WEB)
        await start(world.deps, "web")
        container = world.deps.registry.get("web")
        endpoint = world.networks.endpoints[container.id]
        assert plan(world.deps, {"network": [endpoint.network_id[:5]]}).accepts(container)
        assert not plan(world.deps, {"exited": ["0"]}).accepts(container)
        world.launcher.shim.end(0)
        await world.settled()
        assert plan(world.deps, {"exited": ["7", "0"]}).accepts(container)

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("filters", "shows_all"),
    [({}, False), ({"status": ["exited"]}, True), ({"exited": ["1"]}, True), ({"name": ["x"]}, False)],
)
def test_only_some_filters_ask_for_containers_that_do_not_run(
    tmp_path: Path, filters: dict[str, list[str]], shows_all: bool
) -> None:
    async def scenario(world: World) -> None:
        assert plan(world.deps, filters).shows_all is shows_all

    play(tmp_path, scenario)


def test_a_pattern_that_is_none_is_refused(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(errors.InvalidArgument, match=r"^invalid filter 'name=\(': "):
            plan(world.deps, {"name": ["("]})

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"foo": ["x"]}, "invalid filter 'foo'"),
        (
            {"status": ["x"]},
            "invalid filter 'status=x': invalid value for state (x): must be one of "
            "created, running, paused, restarting, removing, exited, dead",
        ),
        ({"before": ["nosuch"]}, "No such container: nosuch"),
        ({"exited": ["x"]}, "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax"),
        ({"publish": ["x"]}, 'error while looking up for publish x: strconv.ParseUint: parsing "x": invalid syntax'),
        (
            {"health": ["x"]},
            "invalid filter 'health=x': invalid value for health (x): "
            "must be one of none, starting, healthy, unhealthy",
        ),
        ({"is-task": ["x"]}, "invalid filter 'is-task=[x]'"),
    ],
)
def test_wrong_filters_are_refused_in_dockers_words(
    tmp_path: Path, filters: dict[str, list[str]], message: str
) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(errors.Error) as caught:
            plan(world.deps, filters)
        assert str(caught.value) == message

    play(tmp_path, scenario)
