"""POST /containers/{id}/kill: send a signal; SIGKILL also waits for the end."""

import asyncio

from sampan import errors
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.notify import notify
from sampan.engine.containers.registry import Container
from sampan.engine.containers.signals import deliverable, parse_signal
from sampan.engine.containers.wait import Waiter

SIGKILL, SIGTERM = 9, 15
KILL_TIMEOUT_S = 10.0


async def kill(deps: Containers, ref: str, *, signal: str = "") -> None:
    """Send `signal` (a name or a number, SIGKILL when empty) to the container's first process."""
    try:
        container = deps.registry.get(ref)
        number = deliverable(signal) if signal else SIGKILL
        await send_signal(deps, container, number)
        if number == SIGKILL:
            await _wait_gone(container)
    except errors.Error as error:
        raise type(error)(f"cannot kill container: {ref}: {error}") from error


def not_running(container: Container) -> errors.Conflict:
    return errors.Conflict(f"container {container.id} is not running")


async def send_signal(deps: Containers, container: Container, number: int) -> None:
    """Send a signal and publish it; Conflict when no process runs."""
    shim = container.shim
    if shim is None or not container.is_running:
        raise not_running(container)
    if number in (SIGKILL, stop_signal(container)):
        container.manually_stopped = True
    await shim.kill(number)
    notify(deps, container, "kill", signal=str(number))


def stop_signal(container: Container) -> int:
    """What asks the container to end."""
    text = container.record.config.stop_signal
    return parse_signal(text) if text else SIGTERM


async def _wait_gone(container: Container) -> None:
    waiter = Waiter(container, "not-running")
    try:
        async with asyncio.timeout(KILL_TIMEOUT_S):
            await waiter.outcome()
    except TimeoutError as error:
        raise errors.Internal(f"tried to kill container, but did not receive an exit event: {container.id}") from error


async def kill_and_wait(deps: Containers, container: Container) -> None:
    """SIGKILL, until the container has ended; no error when it had already."""
    if not container.is_running:
        return
    try:
        await send_signal(deps, container, SIGKILL)
    except (errors.Conflict, errors.NotFound):
        pass  # it ended on its own in between; its exit is on the way
    await _wait_gone(container)
