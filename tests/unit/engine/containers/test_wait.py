from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.create import create
from sampan.engine.containers.remove import remove
from sampan.engine.containers.start import start
from sampan.engine.containers.wait import begin_wait


def test_waits_end_at_their_condition(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web"))
        assert (await begin_wait(deps, "web").result()).status_code == 0
        with pytest.raises(errors.InvalidArgument, match='invalid condition: "foo"'):
            begin_wait(deps, "web", condition="foo")
        next_exit = begin_wait(deps, "web", condition="next-exit")
        removed = begin_wait(deps, "web", condition="removed")
        await start(deps, "web")
        not_running = begin_wait(deps, "web")
        world.launcher.shim.end(7)
        assert (await next_exit.result()).status_code == 7
        assert (await not_running.result()).status_code == 7
        await remove(deps, "web")
        assert (await removed.result()).status_code == 7

    play(tmp_path, scenario)
