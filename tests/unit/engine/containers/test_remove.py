from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.create import create
from sampan.engine.containers.remove import remove
from sampan.engine.containers.start import start


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
