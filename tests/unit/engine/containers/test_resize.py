from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.create import create
from sampan.engine.containers.resize import resize
from sampan.engine.containers.start import start


def test_a_terminal_is_resized_and_the_size_told(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", tty=True))
        await start(world.deps, "web")
        await resize(world.deps, "web", height=24, width=80)
        assert world.launcher.shim.sizes == [(24, 80)]
        attributes = world.events.seen[-1][3]
        assert (attributes["height"], attributes["width"]) == ("24", "80")

    play(tmp_path, scenario)


def test_without_a_terminal_nothing_is_resized(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        await resize(world.deps, "web", height=24, width=80)
        assert world.launcher.shim.sizes == []

    play(tmp_path, scenario)


def test_a_container_that_does_not_run_has_no_size(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web", tty=True))
        with pytest.raises(errors.Conflict, match=f"^container {created.id} is not running$"):
            await resize(world.deps, "web", height=1, width=1)
        with pytest.raises(errors.NotFound, match="No such container: x"):
            await resize(world.deps, "x", height=1, width=1)

    play(tmp_path, scenario)
