"""Containers through their verbs, on a fake launcher: what happens, in which order, and what a failure leaves."""

import asyncio
import os
from collections.abc import Awaitable
from pathlib import Path

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.kill import kill
from sampan.engine.containers.record import load
from sampan.engine.containers.remove import remove
from sampan.engine.containers.restart import restart
from sampan.engine.containers.start import start
from sampan.engine.containers.stop import stop
from sampan.engine.containers.wait import begin_wait


def test_a_container_is_created_started_waited_for_and_removed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        created = await create(deps, asked(name="web", labels={"a": "b"}))
        waiter = begin_wait(deps, "web", condition="next-exit")
        await start(deps, "web")
        found = await inspect(deps, "web")
        assert (found.state.status, found.state.pid) == ("running", 4242)
        assert found.network_settings.networks["bridge"].ip_address == "10.84.0.2"  # type: ignore[union-attr]
        world.launcher.shim.end(3)
        assert (await waiter.result()).status_code == 3
        found = await inspect(deps, created.id[:5])
        assert (found.state.status, found.state.exit_code, found.state.pid) == ("exited", 3, 0)
        await remove(deps, "/web")
        assert world.events.actions == ["create", "start", "die", "destroy"]
        die = next(attributes for _, action, _, attributes in world.events.seen if action == "die")
        assert die == {"a": "b", "image": "box", "name": "web", "exitCode": "3", "execDuration": "2"}
        assert not world.networks.endpoints
        assert deps.database.read(load) == []
        while os.listdir(tmp_path / "data" / "containers"):
            await asyncio.sleep(0.001)  # the files go in the background
        assert not deps.snapshotter.snapshots()

    play(tmp_path, scenario)


def test_concurrent_verbs_on_one_container_end_in_a_consistent_state(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web"))

        async def attempt(verb: Awaitable[None]) -> None:
            try:
                await verb
            except errors.Error:
                pass

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(attempt(start(deps, "web")))
                group.create_task(attempt(stop(deps, "web")))
                group.create_task(attempt(restart(deps, "web")))
                group.create_task(attempt(kill(deps, "web")))
        running = [shim for shim in world.launcher.shims if not shim.exit.done()]
        container = deps.registry.get("web")
        assert ([container.shim] if container.is_running else []) == running
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(attempt(remove(deps, "web", force=True)))
                group.create_task(attempt(start(deps, "web")))
        assert deps.registry.find("web") is None
        assert not world.networks.endpoints
        assert all(shim.exit.done() or shim.is_discarded for shim in world.launcher.shims)
        assert len(deps.locks) == 0

    play(tmp_path, scenario)
