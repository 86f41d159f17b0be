from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.remove import remove
from sampan.engine.containers.start import start
from sampan.engine.containers.states import State


def test_a_running_container_is_removed_only_by_force(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web"))
        await start(deps, "web")
        with pytest.raises(errors.Conflict) as caught:
            await remove(deps, "web")
        assert str(caught.value) == (
            'cannot remove container "web": container is running: stop the container before removing or force remove'
        )
        await remove(deps, "web", force=True)
        with pytest.raises(errors.NotFound, match="No such container: web"):
            await remove(deps, "web")

    play(tmp_path, scenario)


def test_a_paused_container_has_to_be_unpaused_first(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        container = world.deps.registry.get("web")
        container.state = State.PAUSED
        with pytest.raises(errors.Conflict) as caught:
            await remove(world.deps, "web")
        assert str(caught.value) == (
            'cannot remove container "web": container is paused: unpause the container and then stop or force remove'
        )
        container.state = State.RUNNING

    play(tmp_path, scenario)


@pytest.mark.parametrize("volumes", [False, True])
def test_anonymous_volumes_go_when_asked_for_and_named_ones_stay(tmp_path: Path, volumes: bool) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", volumes={"/a": {}}, host=HostConfig(binds=["named:/n"])))
        await remove(world.deps, "web", volumes=volumes)
        assert set(world.volumes.volumes) == ({"named"} if volumes else {"named", "anonymous-1"})
        assert [action for type, action, _, _ in world.events.seen if type == "volume"][2:] == ["destroy"] * volumes

    play(tmp_path, scenario)


def test_a_volume_that_was_removed_before_is_no_obstacle(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", volumes={"/a": {}}))
        world.volumes.volumes.clear()
        await remove(world.deps, "web", volumes=True)
        assert len(world.deps.registry) == 0

    play(tmp_path, scenario)


def test_a_removal_under_way_is_told_in_dockers_words(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        world.deps.registry.get("web").state = State.REMOVING
        with pytest.raises(errors.Conflict, match="removal of container web is already in progress"):
            await remove(world.deps, "web")

    play(tmp_path, scenario)


def test_a_removal_that_fails_leaves_a_dead_container_that_can_be_removed_again(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web"))

        async def refuse(_: object) -> None:
            raise errors.Internal("disk full")

        deps.database.write, write = refuse, deps.database.write  # type: ignore[method-assign, assignment]
        with pytest.raises(errors.Internal, match="disk full"):
            await remove(deps, "web")
        deps.database.write = write  # type: ignore[method-assign]
        assert deps.registry.get("web").state is State.DEAD
        assert deps.snapshotter.snapshots()
        await remove(deps, "web")
        assert len(deps.registry) == 0
        assert not deps.snapshotter.snapshots()

    play(tmp_path, scenario)


def test_a_forced_removal_of_one_with_rm_waits_for_its_own_end(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", host=HostConfig(auto_remove=True)))
        await start(world.deps, "web")
        await remove(world.deps, "web", force=True)
        assert len(world.deps.registry) == 0
        assert world.events.actions == ["create", "start", "kill", "die", "destroy"]

    play(tmp_path, scenario)
