from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.kill import kill, kill_and_wait, stop_signal
from sampan.engine.containers.start import start


def test_kill_wants_a_running_container_and_a_real_signal(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        created = await create(deps, asked(name="web"))
        with pytest.raises(errors.Conflict) as caught:
            await kill(deps, "web")
        assert str(caught.value) == f"cannot kill container: web: container {created.id} is not running"
        await start(deps, "web")
        with pytest.raises(errors.InvalidArgument, match="cannot kill container: web: invalid signal: FOO"):
            await kill(deps, "web", signal="FOO")
        with pytest.raises(errors.NotFound, match="cannot kill container: x: No such container: x"):
            await kill(deps, "x")
        await kill(deps, "web", signal="usr1")
        assert world.launcher.shim.signals == [10]
        await kill(deps, "web")
        assert (await inspect(deps, "web")).state.status == "exited"

    play(tmp_path, scenario)


def test_only_what_is_meant_to_end_it_counts_as_stopped_by_the_user(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        container = world.deps.registry.get("web")
        await kill(world.deps, "web", signal="HUP")
        assert not container.manually_stopped
        await kill(world.deps, "web", signal="TERM")
        assert container.manually_stopped

    play(tmp_path, scenario)


def test_a_signal_is_told_as_its_number(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        await kill(world.deps, "web", signal="SIGHUP")
        assert world.events.seen[-1][1] == "kill"
        assert world.events.seen[-1][3]["signal"] == "1"

    play(tmp_path, scenario)


def test_a_container_that_has_ended_needs_no_killing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        container = world.deps.registry.get("web")
        await kill_and_wait(world.deps, container)
        await start(world.deps, "web")
        world.launcher.shim.end(4)
        await kill_and_wait(world.deps, container)
        assert container.outcome.exit_code == 4
        assert world.launcher.shim.signals == []

    play(tmp_path, scenario)


def test_the_stop_signal_is_the_images_or_term(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await create(world.deps, asked(name="own", stop_signal="3"))
        assert [stop_signal(world.deps.registry.get(name)) for name in ("web", "own")] == [15, 3]

    play(tmp_path, scenario)
