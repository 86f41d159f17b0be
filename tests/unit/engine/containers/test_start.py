from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.record import load
from sampan.engine.containers.start import start
from sampan.engine.containers.wait import begin_wait


@pytest.mark.parametrize("stage", ["launch", "network", "start"])
def test_a_failed_start_leaves_nothing_but_the_reason(tmp_path: Path, stage: str) -> None:
    async def scenario(world: World) -> None:
        deps, launcher = world.deps, world.launcher
        error = errors.StartFailed('exec: "nosuch": executable file not found in $PATH', exit_code=127)
        launcher.launch_error = error if stage == "launch" else None
        launcher.start_error = error if stage == "start" else None
        world.networks.error = errors.Internal("no address") if stage == "network" else None
        await create(deps, asked(name="web"))
        with pytest.raises(errors.Internal) as caught:
            await start(deps, "web")
        if stage == "network":
            assert str(caught.value) == "no address"
        else:
            assert str(caught.value) == (
                "failed to create task for container: failed to create shim task: OCI runtime create failed: runc "
                'create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH'
            )
        found = await inspect(deps, "web")
        assert found.state.status == "created"
        assert found.state.exit_code == (128 if stage == "network" else 127)
        assert found.state.error == str(caught.value)
        assert not world.networks.endpoints
        assert all(shim.is_discarded for shim in launcher.shims)
        assert all(netns.is_closed for netns in launcher.namespaces)
        (row,) = deps.database.read(load)
        assert row.outcome is not None
        assert row.outcome.error == str(caught.value)
        launcher.launch_error = launcher.start_error = world.networks.error = None
        await start(deps, "web")
        assert (await inspect(deps, "web")).state.error == ""

    play(tmp_path, scenario)


def test_with_rm_a_failed_start_removes_the_container(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.launcher.start_error = errors.StartFailed("exec format error", exit_code=126)
        await create(world.deps, asked(name="web", host=HostConfig(auto_remove=True)))
        waiter = begin_wait(world.deps, "web", condition="removed")
        with pytest.raises(errors.StartFailed):
            await start(world.deps, "web")
        assert (await waiter.result()).status_code == 126
        assert len(world.deps.registry) == 0

    play(tmp_path, scenario)


def test_starting_twice_is_not_modified(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        with pytest.raises(errors.NotModified):
            await start(world.deps, "web")
        assert len(world.launcher.shims) == 1

    play(tmp_path, scenario)
