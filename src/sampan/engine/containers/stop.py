"""POST /containers/{id}/stop: the stop signal, patience, then SIGKILL.

Invariant  No lock is held while waiting: a start, a kill or a removal meanwhile takes its own course.
"""

import asyncio

from sampan import errors
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.kill import kill_and_wait, send_signal, stop_signal
from sampan.engine.containers.notify import notify
from sampan.engine.containers.registry import Container
from sampan.engine.containers.signals import deliverable
from sampan.engine.containers.wait import Waiter

DEFAULT_TIMEOUT_S = 10


async def stop(deps: Containers, ref: str, *, signal: str = "", timeout_s: int | None = None) -> None:
    """End the container; NotModified when it does not run. A negative timeout waits for ever."""
    container = deps.registry.get(ref)
    number = deliverable(signal) if signal else stop_signal(container)
    if not container.is_running:
        raise errors.NotModified(f"container {container.id} is not running")
    await stop_container(deps, container, number, timeout_s=timeout_s)


async def stop_container(deps: Containers, container: Container, number: int, *, timeout_s: int | None = None) -> None:
    """The same for a container at hand; it may have ended meanwhile."""
    container.manually_stopped = True
    if timeout_s is None:
        timeout_s = container.record.config.stop_timeout
    if timeout_s is None:
        timeout_s = DEFAULT_TIMEOUT_S
    waiter = Waiter(container, "not-running")
    try:
        await send_signal(deps, container, number)
    except (errors.Conflict, errors.NotFound):
        pass  # it has just ended
    try:
        async with asyncio.timeout(None if timeout_s < 0 else timeout_s):
            await waiter.outcome()
    except TimeoutError:
        await kill_and_wait(deps, container)
    notify(deps, container, "stop")
