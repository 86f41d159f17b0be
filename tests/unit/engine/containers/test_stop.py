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
