"""POST /containers/{id}/wait: the exit code, when a condition comes true.

not-running   at once when no process runs, else at its exit (the default)
next-exit     at the next exit, whatever the state is now
removed       when the container is gone
"""

import asyncio

from sampan.api.wire.container import WaitError, WaitResponse
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.record import Outcome
from sampan.engine.containers.registry import Container
from sampan.errors import InvalidArgument


class Waiter:
    """A registered wait; it counts from its making on, so no exit is missed between `begin_wait` and `result`."""

    def __init__(self, container: Container, condition: str) -> None:
        self._condition = condition
        self._waiters = container.waiters
        self._future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if condition == "not-running" and not container.is_running:
            self._future.set_result(container.outcome)
        else:
            self._waiters[condition].add(self._future)

    async def outcome(self) -> Outcome:
        """How the run that was waited for ended."""
        try:
            return await self._future
        finally:
            self.close()

    async def result(self) -> WaitResponse:
        """The same, as the API answers it."""
        found = await self.outcome()
        # Of a removal the error would be that of the removal; the run's own is told by whoever started it.
        is_told = found.error and self._condition != "removed"
        error = WaitError(message=found.error) if is_told else None
        return WaitResponse(error=error, status_code=found.exit_code)

    def close(self) -> None:
        """Stop waiting; idempotent."""
        self._waiters[self._condition].discard(self._future)
        self._future.cancel()


def begin_wait(deps: Containers, ref: str, *, condition: str = "") -> Waiter:
    """Register a wait on the container."""
    container = deps.registry.get(ref)
    condition = condition or "not-running"
    if condition not in container.waiters:
        raise InvalidArgument(f'invalid condition: "{condition}"')
    return Waiter(container, condition)
