"""Images in the API's shapes, over a real store; and what connects them with containers and events."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fakes.engine import FakeEvents
from sampan import errors
from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.engine import images
from sampan.engine.containers.record import ContainerRecord
from sampan.engine.containers.registry import Container, Registry
from sampan.engine.containers.states import State
from sampan.image.record import ImageEvent
from sampan.image.store import ImageStore
from support.image_world import World, collect, make, stream_of, tar_of


def container_of(image_id: str, state: State = State.EXITED) -> Container:
    record = ContainerRecord(
        id="c" * 64,
        name="web",
        created_ns=1,
        image_id=image_id,
        path="sh",
        args=[],
        config=ContainerConfig(),
        host=HostConfig(),
        networking=NetworkingConfig(),
        mounts=[],
    )
    container = Container(record)
    container.state = state
    return container


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.close()


def deps_of(store: ImageStore, *containers: Container) -> images.Images:
    registry = Registry()
    for container in containers:
        registry.add(container)
    return images.Images(store=store, registry=registry)


def test_a_listing_counts_the_containers_of_each_image(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await make(store, "a:1", changes=["LABEL a=b"])
        await make(store, "b:1")
        found = await images.list_images(deps_of(store, container_of(image.id)))
        assert {line.repo_tags[0]: line.containers for line in found} == {"a:1": 1, "b:1": 0}
        line = next(line for line in found if line.id == image.id)
        assert (line.labels, line.size, line.parent_id) == ({"a": "b"}, image.size_bytes, "")
        assert line.created == image.created_ns // 1_000_000_000

    world.run(use=use)


@pytest.mark.parametrize(("barred", "names"), [(["a"], ["b:1"]), (["a=b"], ["b:1"]), (["a=c"], ["a:1", "b:1"])])
def test_labels_can_be_barred(world: World, barred: list[str], names: list[str]) -> None:
    async def use(store: ImageStore) -> None:
        await make(store, "a:1", changes=["LABEL a=b"])
        await make(store, "b:1")
        found = await images.list_images(deps_of(store), filters={"label!": barred})
        assert sorted(line.repo_tags[0] for line in found) == names

    world.run(use=use)


def test_an_inspect_shows_the_configuration_as_docker_spells_it(world: World) -> None:
    async def use(store: ImageStore) -> None:
        changes = ['CMD ["a"]', "EXPOSE 80", "VOLUME /v", "HEALTHCHECK --interval=5s CMD true", "STOPSIGNAL QUIT"]
        image = await make(store, "a:1", changes=changes, message="hello")
        found = json.loads(msgspec.json.encode(await images.inspect_image(deps_of(store), "a:1")))
        assert (found["Id"], found["RepoTags"], found["Comment"]) == (image.id, ["a:1"], "hello")
        assert found["RootFS"] == {"Type": "layers", "Layers": image.diff_ids}
        config = found["Config"]
        assert (config["Cmd"], config["ExposedPorts"], config["Volumes"]) == (["a"], {"80/tcp": {}}, {"/v": {}})
        assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000}
        assert config["StopSignal"] == "QUIT"

    world.run(use=use)


def test_history_gives_seconds_and_null_for_no_tags(world: World) -> None:
    async def use(store: ImageStore) -> None:
        await make(store, "a:1", message="hello")
        (line,) = await images.history(deps_of(store), "a:1")
        assert (line.comment, line.tags, line.size) == ("hello", ["a:1"], 3)
        assert line.created == store.resolve("a:1").created_ns // 1_000_000_000

    world.run(use=use)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (State.EXITED, "image is being used by stopped container cccccccccccc"),
        (State.RUNNING, "image is being used by running container cccccccccccc"),
    ],
)
def test_a_container_keeps_its_image(world: World, state: State, message: str) -> None:
    async def use(store: ImageStore) -> None:
        image = await make(store, "a:1")
        deps = deps_of(store, container_of(image.id, state))
        with pytest.raises(errors.Conflict, match=message):
            await images.remove(deps, image.id[7:19])
        removed = await images.remove(deps_of(store), "a:1")
        assert (removed[0].untagged, removed[0].deleted) == ("a:1", "")
        assert removed[-1].deleted.startswith("sha256:")

    world.run(use=use)


@pytest.mark.parametrize(
    ("platform", "found"),
    [("linux/arm64/v8", ("linux", "arm64", "v8")), ("linux/s390x", ("linux", "s390x", ""))],
)
def test_an_import_is_named_and_of_the_platform_asked_for(
    world: World, platform: str, found: tuple[str, str, str]
) -> None:
    async def use(store: ImageStore) -> None:
        deps = deps_of(store)
        options = {"message": "", "changes": [], "platform": platform}
        id = await images.import_image(deps, stream_of(tar_of({"f": b"x"})), repository="r", tag="t", **options)  # type: ignore[arg-type]
        image = store.get(id)
        assert image.repo_tags == ("r:t",)
        assert (image.config.os, image.config.architecture, image.config.variant) == found
        nameless = await images.import_image(deps, stream_of(tar_of({"f": b"y"})), repository="", tag="", **options)  # type: ignore[arg-type]
        assert store.get(nameless).is_dangling

    world.run(use=use)


def test_a_tag_a_save_and_a_load_go_through(world: World) -> None:
    async def use(store: ImageStore) -> None:
        deps = deps_of(store)
        await make(store, "a:1")
        await images.tag(deps, "a:1", repository="other", tag="")
        saved = b"".join(await collect(await images.save(deps, ["other"])))
        await images.remove(deps, "other")
        messages = await collect(images.load(deps, stream_of(saved), quiet=True))
        assert messages == [{"stream": "Loaded image: other:latest\n"}]
        with pytest.raises(errors.NotFound, match="No such image: nope:latest"):
            await images.save(deps, ["nope"])

    world.run(use=use)


def test_an_event_carries_the_images_labels_and_what_it_was_called() -> None:
    events = FakeEvents()
    images.publisher(events)(ImageEvent("tag", "sha256:1", "a:1", {"a": "b", "name": "liar"}))  # type: ignore[arg-type]
    assert events.seen == [("image", "tag", "sha256:1", {"a": "b", "name": "a:1"})]
