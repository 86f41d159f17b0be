"""DELETE /containers/{id}: the row first, then the files; also what --rm does at the end.

Invariants  1. When a removal has begun it is carried through, even when its caller is cancelled.
            2. A removal is acknowledged when the row is gone. The files follow in the background; what a crash leaves
               of them the sweep at start removes, for no row owns it.
"""

import shutil

from sampan import errors
from sampan.base.failpoints import failpoint
from sampan.base.tasks import finish, run_blocking
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.kill import kill_and_wait
from sampan.engine.containers.notify import notify
from sampan.engine.containers.record import delete
from sampan.engine.containers.registry import Container
from sampan.engine.containers.states import State, moved
from sampan.engine.containers.wait import Waiter
from sampan.storage.metadata import Transaction

REMOVE_TIMEOUT_S = 120.0


async def remove(deps: Containers, ref: str, *, force: bool = False, volumes: bool = False) -> None:
    """Remove the container; `force` ends it first, `volumes` takes its anonymous volumes along."""
    container = deps.registry.get(ref)
    while True:
        if container.state is State.REMOVING:
            raise errors.Conflict(f"removal of container {container.name} is already in progress")
        if container.is_running:
            _check_forced(container, force)
            removed = Waiter(container, "removed")
            try:
                await kill_and_wait(deps, container)
                if container.record.host.auto_remove and not container.is_restarting:
                    await removed.outcome()  # its supervisor is at it
                    return
            finally:
                removed.close()
        async with deps.locks(container.id):
            if deps.registry.find(container.id) is not container:
                raise errors.NotFound(f"No such container: {ref}")
            if not container.is_running:
                await remove_locked(deps, container, volumes=volumes or container.record.host.auto_remove)
                return


def _check_forced(container: Container, force: bool) -> None:
    if force:
        return
    state = "paused" if container.state is State.PAUSED else "running"
    remedy = "unpause the container and then stop" if state == "paused" else "stop the container before removing"
    raise errors.Conflict(f'cannot remove container "{container.name}": container is {state}: {remedy} or force remove')


async def remove_locked(deps: Containers, container: Container, *, volumes: bool) -> None:
    """Remove a container that does not run and whose lock the caller holds."""
    container.state = moved(container.state, State.REMOVING)
    try:
        await finish(_carry_out(deps, container, volumes), timeout_s=REMOVE_TIMEOUT_S)
    except BaseException:
        if container.state is State.REMOVING:
            container.state = moved(container.state, State.DEAD)
        raise


async def _carry_out(deps: Containers, container: Container, volumes: bool) -> None:
    def write(transaction: Transaction) -> None:
        delete(transaction, container.id)
        change.apply(transaction)

    with deps.snapshotter.change() as change:
        change.remove(container.id)
        await deps.database.write(write)
    failpoint("container.remove.row-deleted")
    folder = deps.paths.container_dir(container.id)
    deps.tasks.spawn(run_blocking("disk", shutil.rmtree, folder, True), name=f"remove {folder}")
    if volumes:
        for mount in container.anonymous_volumes:
            await _remove_volume(deps, mount.name)
    deps.registry.discard(container)
    container.drop_parked()
    notify(deps, container, "destroy")
    container.wake("removed", "not-running", "next-exit")


async def _remove_volume(deps: Containers, name: str) -> None:
    try:
        await deps.volumes.remove(name)
        deps.events.publish("volume", "destroy", name, {"driver": "local"})
    except errors.NotFound:
        pass  # the user removed it by name
    except errors.Conflict:
        pass  # another container took it over by --volumes-from
