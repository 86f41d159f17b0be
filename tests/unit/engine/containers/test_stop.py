from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.start import start
from sampan.engine.containers.stop import stop


def test_stop_sends_the_stop_signal_and_kills_what_ignores_it(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web", stop_signal="SIGUSR1", stop_timeout=0))
        with pytest.raises(errors.NotModified):
            await stop(deps, "web")
        await start(deps, "web")
        await stop(deps, "web")
        assert world.launcher.shim.signals == [10, 9]
        assert (await inspect(deps, "web")).state.exit_code == 137
        assert world.events.actions == ["create", "start", "kill", "kill", "die", "stop"]

    play(tmp_path, scenario)


def test_a_stop_may_name_its_own_signal_and_patience(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web", stop_signal="SIGUSR1", stop_timeout=100))
        await start(deps, "web")
        await stop(deps, "web", signal="USR2", timeout_s=0)
        assert world.launcher.shim.signals == [12, 9]

    play(tmp_path, scenario)


def test_who_ends_at_the_stop_signal_is_not_killed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        await stop(world.deps, "web", timeout_s=-1)
        assert world.launcher.shim.signals == [15]
        assert world.deps.registry.get("web").manually_stopped
        assert world.events.actions == ["create", "start", "kill", "die", "stop"]

    play(tmp_path, scenario)


def test_a_signal_that_does_not_exist_stops_nothing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        with pytest.raises(errors.InvalidArgument, match="invalid signal: FOO"):
            await stop(world.deps, "web", signal="FOO")
        assert world.deps.registry.get("web").is_running

    play(tmp_path, scenario)


def test_a_process_that_ends_just_before_its_signal_counts_as_stopped(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        world.launcher.shim.end(3)
        await stop(world.deps, "web")
        assert world.deps.registry.get("web").outcome.exit_code == 3
        assert world.events.actions == ["create", "start", "die", "stop"]

    play(tmp_path, scenario)
