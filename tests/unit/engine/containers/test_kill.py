from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.kill import kill
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
