from pathlib import Path

from fakes.engine import World, asked, play
from sampan import errors
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.start import start
from sampan.engine.containers.wait import begin_wait


def test_with_rm_the_container_goes_with_its_anonymous_volumes_only(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        host = HostConfig(auto_remove=True, binds=["named:/n"])
        await create(world.deps, asked(name="web", host=host, volumes={"/a": {}}))
        assert len(world.volumes.volumes) == 2
        waiter = begin_wait(world.deps, "web", condition="removed")
        await start(world.deps, "web")
        world.launcher.shim.end(5)
        assert (await waiter.result()).status_code == 5
        assert list(world.volumes.volumes) == ["named"]
        assert world.events.actions == ["create", "start", "die", "destroy"]

    play(tmp_path, scenario)


def test_a_container_whose_end_cannot_be_learnt_is_not_left_running(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        waiter = begin_wait(world.deps, "web", condition="next-exit")
        await start(world.deps, "web")
        world.launcher.shim.exit.set_exception(errors.Internal("helper was killed"))
        assert (await waiter.result()).status_code == 255
        assert (await inspect(world.deps, "web")).state.error == "helper was killed"
        assert not world.networks.endpoints

    play(tmp_path, scenario)
