"""What a daemon makes of rows, exit records and directories that an earlier one left."""

import asyncio
import json
import os
from pathlib import Path

from fakes.engine import World, asked, engine
from sampan.api.wire.host import HostConfig
from sampan.daemon.recovery import recover
from sampan.engine.containers.create import create
from sampan.engine.containers.record import Outcome, set_wanted
from sampan.engine.containers.registry import Registry
from sampan.engine.containers.states import State
from sampan.runtime.request import ExitRecord


async def left(world: World, name: str, *, wanted: bool = False, outcome: Outcome | None = None, **host: bool) -> str:
    """A container as an earlier daemon wrote it."""
    created = await create(world.deps, asked(name=name, host=HostConfig(auto_remove=host.get("auto_remove", False))))
    await world.deps.database.write(lambda tx: set_wanted(tx, created.id, wanted=wanted, outcome=outcome))
    return created.id


def ended(world: World, id: str, exit_code: int) -> None:
    record = ExitRecord(exit_code=exit_code, oom_killed=True, started_at_ns=5, finished_at_ns=6)
    path = world.deps.paths.exit_path(id)
    os.makedirs(os.path.dirname(path))
    Path(path).write_text(json.dumps(record.to_json()))


class ReconcilingNetworks:
    alive: set[str] | None = None

    async def reconcile(self, alive: set[str]) -> None:
        self.alive = alive


def test_each_container_is_found_as_it_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(str(tmp_path)) as world:
            await left(world, "created")
            exited = await left(world, "exited", wanted=True)
            ended(world, exited, 7)
            await left(world, "lost", wanted=True)
            await left(world, "failed", outcome=Outcome(exit_code=127, error="not found"))
            rm = await left(world, "removed", wanted=True, auto_remove=True)
            ended(world, rm, 0)
            for name in list(world.deps.registry):
                world.deps.registry.discard(name)
            os.makedirs(world.deps.paths.container_dir("nobody"))
            networks = ReconcilingNetworks()
            await recover(world.execs, networks)  # type: ignore[arg-type]
            registry: Registry = world.deps.registry
            found = {c.name: (c.state, c.outcome.exit_code, c.outcome.error) for c in registry}
            assert found == {
                "created": (State.CREATED, 0, ""),
                "exited": (State.EXITED, 7, ""),
                "lost": (State.EXITED, 255, ""),
                "failed": (State.CREATED, 127, "not found"),
            }
            assert registry.get("exited").outcome.oom_killed
            assert networks.alive == set()
            while os.listdir(tmp_path / "data" / "containers") != [exited]:
                await asyncio.sleep(0.001)  # the files of the removed one go in the background

    asyncio.run(main())
