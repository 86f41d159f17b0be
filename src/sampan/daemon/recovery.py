"""What the daemon does before it serves: look at the world and make its memory agree with it.

    row   shim answers     running again, its exit supervised
    row   exit record      exited, with that outcome; removed if it was to be (--rm)
    row   a failed start   as before that start, with the error
    row   neither          created; or, when it should be running (the machine went down), exited with code 255
    no row                 its directories and whatever runs in it are removed

There is no other recovery path; every start takes this one.
"""

import asyncio
import logging
import os
import shutil

from sampan import errors
from sampan.api.wire.exec import ExecConfig
from sampan.base.tasks import run_blocking
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.record import Outcome, Row, load
from sampan.engine.containers.registry import Container
from sampan.engine.containers.remove import remove_locked
from sampan.engine.containers.states import State
from sampan.engine.containers.supervise import LOST_EXIT_CODE, outcome_of, supervise
from sampan.engine.execs.registry import Exec, Execs
from sampan.engine.execs.start import supervise as supervise_exec
from sampan.engine.launcher import reconnect
from sampan.engine.shim import Shim
from sampan.network.networks import Networks
from sampan.runtime.request import ExitRecord

_AT_ONCE = 16

_log = logging.getLogger("sampan.daemon")


async def recover(execs: Execs, networks: Networks) -> None:
    """Load every container and find out what became of it."""
    deps = execs.containers
    found = [_load(deps, row) for row in deps.database.read(load)]
    slots = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for container, row in found:
            group.create_task(_recover(execs, container, row, slots))
    await _remove_orphans(deps)
    await networks.reconcile({container.id for container, _ in found if container.is_running})
    running = [container for container, _ in found if container.is_running]
    for container, _ in found:
        if container.state is State.EXITED and container.record.host.auto_remove:
            await remove_locked(deps, container, volumes=True)
    if found:
        _log.info("%d containers, %d running", len(deps.registry), len(running))


def _load(deps: Containers, row: Row) -> tuple[Container, Row]:
    container = Container(row.record)
    deps.registry.reserve(container.name, container.id)
    deps.registry.add(container)
    return container, row


async def _recover(execs: Execs, container: Container, row: Row, slots: asyncio.Semaphore) -> None:
    deps = execs.containers
    async with slots:
        found = await reconnect(
            deps.paths.exec_dir(container.id), deps.paths.exit_path(container.id), deps.launcher.clean_up
        )
        if isinstance(found, Shim) and not found.pid:
            await found.discard()  # the daemon died between launching and starting it
            found = None
    match found:
        case Shim():
            _adopt(execs, container, found)
        case ExitRecord() if row.outcome is None:
            container.recovered(State.EXITED, outcome_of(found))
        case _:
            _settle_unknown(container, row)


def _adopt(execs: Execs, container: Container, shim: Shim) -> None:
    deps = execs.containers
    container.ran(shim, pid=shim.pid, started_at_ns=shim.started_at_ns)
    deps.tasks.spawn(supervise(deps, container, shim), name=f"container {container.id[:12]}")
    for exec_id in shim.running_execs():
        # Its command is forgotten; its client, whose stream the shim holds, will still ask for the exit code.
        exec_ = Exec(exec_id, container, ExecConfig(cmd=[""]))
        exec_.has_started = True
        execs.registry.add(exec_, deps.clock.now_ns())
        container.exec_ids.append(exec_id)
        deps.tasks.spawn(supervise_exec(execs, exec_), name=f"exec {exec_id[:12]}")


def _settle_unknown(container: Container, row: Row) -> None:
    if row.outcome is not None:
        state = State.EXITED if row.outcome.started_at_ns else State.CREATED
        container.recovered(state, row.outcome)
    elif row.wanted:
        container.recovered(State.EXITED, Outcome(exit_code=LOST_EXIT_CODE, started_at_ns=row.record.created_ns))


async def _remove_orphans(deps: Containers) -> None:
    """Directories without a row; a crash between the row's removal and the files' left them."""
    for folder in (deps.paths.exec_root, deps.paths.data_root):
        parent = f"{folder}/containers"
        for name in os.listdir(parent) if os.path.isdir(parent) else ():
            if deps.registry.find(name) is None:
                _log.info("removing what is left of container %s in %s", name[:12], parent)
                await _remove_orphan(deps, f"{parent}/{name}", is_exec_dir=folder == deps.paths.exec_root)


async def _remove_orphan(deps: Containers, path: str, *, is_exec_dir: bool) -> None:
    if is_exec_dir:
        exit_path = f"{path}/exit.json"
        try:
            shim = await Shim.connect(path, exit_path, deps.launcher.clean_up)
            if shim is not None:
                shim.disconnect()
            await deps.launcher.clean_up(path, exit_path)
        except errors.Error:
            _log.exception("cannot clean up %s", path)
    await run_blocking("disk", shutil.rmtree, path, True)
