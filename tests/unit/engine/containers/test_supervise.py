from pathlib import Path

from fakes.engine import World, asked, play
from sampan import errors
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.record import Outcome
from sampan.engine.containers.restart import restart
from sampan.engine.containers.start import start
from sampan.engine.containers.supervise import outcome_of, supervise
from sampan.engine.containers.wait import begin_wait
from sampan.runtime.request import ExitRecord


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
        async with world.deps.locks(world.deps.registry.get("web").id):
            assert not world.networks.endpoints

    play(tmp_path, scenario)


def test_an_outcome_is_what_the_shim_wrote_down() -> None:
    record = ExitRecord(exit_code=137, oom_killed=True, started_at_ns=5, finished_at_ns=7, error="x")
    assert outcome_of(record) == Outcome(exit_code=137, error="x", oom_killed=True, started_at_ns=5, finished_at_ns=7)


def test_an_end_for_want_of_memory_is_announced_before_the_death(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        world.events.seen.clear()
        world.launcher.shim.end(137, oom_killed=True)
        await begin_wait(world.deps, "web").result()
        assert [(type, action) for type, action, _, _ in world.events.seen] == [
            ("network", "disconnect"),
            ("container", "oom"),
            ("container", "die"),
        ]
        assert (await inspect(world.deps, "web")).state.oom_killed

    play(tmp_path, scenario)


def test_an_endpoint_that_cannot_be_removed_does_not_keep_the_container_running(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")

        async def refuse(_: str) -> None:
            raise errors.Internal("netlink said no")

        world.networks.leave = refuse  # type: ignore[method-assign]
        world.launcher.shim.end(2)
        assert (await begin_wait(world.deps, "web").result()).status_code == 2
        assert (await inspect(world.deps, "web")).state.status == "exited"

    play(tmp_path, scenario)


def test_the_end_of_an_earlier_run_does_not_end_the_present_one(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        earlier = world.launcher.shim
        await restart(world.deps, "web")
        await supervise(world.deps, world.deps.registry.get("web"), earlier)
        assert (await inspect(world.deps, "web")).state.status == "running"

    play(tmp_path, scenario)
