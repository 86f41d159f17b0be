from pathlib import Path

from fakes.engine import World, asked, play
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
