from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.restart import restart
from sampan.engine.containers.start import start


def test_restart_starts_a_stopped_container_and_keeps_one_with_rm(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web", host=HostConfig(auto_remove=True)))
        await start(deps, "web")
        await restart(deps, "web")
        assert len(world.launcher.shims) == 2
        assert (await inspect(deps, "web")).state.status == "running"
        assert world.events.actions == ["create", "start", "kill", "die", "stop", "start", "restart"]

    play(tmp_path, scenario)


def test_a_container_that_does_not_run_is_only_started(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await restart(world.deps, "web")
        assert world.launcher.shim.signals == []
        assert world.events.actions == ["create", "start", "restart"]

    play(tmp_path, scenario)


def test_a_restart_uses_the_signal_it_is_given(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        first = world.launcher.shim
        with pytest.raises(errors.InvalidArgument, match="invalid signal: FOO"):
            await restart(world.deps, "web", signal="FOO")
        assert world.deps.registry.get("web").is_running
        await restart(world.deps, "web", signal="INT", timeout_s=0)
        assert first.signals == [2, 9]
        assert len(world.launcher.shims) == 2

    play(tmp_path, scenario)


def test_a_start_that_fails_after_the_stop_is_told(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        world.launcher.start_error = errors.StartFailed("gone", exit_code=127)
        with pytest.raises(errors.StartFailed, match="gone"):
            await restart(world.deps, "web")
        container = world.deps.registry.get("web")
        assert (container.state, container.is_restarting) == ("exited", False)
        assert "restart" not in world.events.actions

    play(tmp_path, scenario)
