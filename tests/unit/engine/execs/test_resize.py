from pathlib import Path

import pytest

from fakes.engine import World, play_execs
from sampan import errors
from sampan.api.wire.exec import ExecConfig
from sampan.engine.execs.create import create
from sampan.engine.execs.resize import resize
from sampan.engine.execs.start import start_detached


@pytest.mark.parametrize(("tty", "sizes"), [(True, [(24, 80)]), (False, [])])
def test_a_terminal_is_resized_and_nothing_else(tmp_path: Path, tty: bool, sizes: list[tuple[int, int]]) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ExecConfig(cmd=["sh"], tty=tty))
        await start_detached(world.execs, id)
        await resize(world.execs, id, height=24, width=80)
        assert world.launcher.shim.sizes == sizes

    play_execs(tmp_path, scenario)


def test_an_exec_that_does_not_run_has_no_size(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ExecConfig(cmd=["sh"], tty=True))
        with pytest.raises(errors.NotFound) as caught:
            await resize(world.execs, id, height=1, width=1)
        assert str(caught.value) == f"NotFound: process does not exist {id}: not found"
        await start_detached(world.execs, id)
        world.launcher.shim.execs[id].set_result(0)
        await world.settled()
        with pytest.raises(errors.NotFound):
            await resize(world.execs, id, height=1, width=1)

    play_execs(tmp_path, scenario)
