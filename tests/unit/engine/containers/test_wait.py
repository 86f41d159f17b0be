import asyncio
from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.create import create
from sampan.engine.containers.record import Outcome
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


def test_a_failed_runs_reason_is_told_but_not_to_who_waits_for_the_removal(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        container = world.deps.registry.get("web")
        next_exit = begin_wait(world.deps, "web", condition="next-exit")
        removed = begin_wait(world.deps, "web", condition="removed")
        container.outcome = Outcome(exit_code=127, error="not found")
        container.wake("next-exit", "removed")
        found = await next_exit.result()
        assert (found.status_code, found.error and found.error.message) == (127, "not found")
        found = await removed.result()
        assert (found.status_code, found.error) == (127, None)

    play(tmp_path, scenario)


def test_a_wait_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        container = world.deps.registry.get("web")
        waiter = begin_wait(world.deps, "web", condition="removed")
        waiter.close()
        waiter.close()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await begin_wait(world.deps, "web", condition="next-exit").outcome()
        assert not any(container.waiters.values())

    play(tmp_path, scenario)


def test_a_removal_ends_every_wait(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        waiters = [begin_wait(world.deps, "web", condition=name) for name in ("next-exit", "removed")]
        await remove(world.deps, "web")
        assert [(await waiter.result()).status_code for waiter in waiters] == [0, 0]
        with pytest.raises(errors.NotFound, match="No such container: web"):
            begin_wait(world.deps, "web")

    play(tmp_path, scenario)
