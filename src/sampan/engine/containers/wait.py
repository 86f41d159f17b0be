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
        self._waiting = container.waiters[condition]
        self._future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if condition == "not-running" and not container.is_running:
            self._future.set_result(container.outcome)
        else:
            self._waiting.add(self._future)

    async def outcome(self) -> Outcome:
        """How the run that was waited for ended."""
        try:
            return await self._future
        finally:
            self.close()

    async def result(self) -> WaitResponse:
        """The same, as the API answers it."""
        found = await self.outcome()
        error = WaitError(message=found.error) if found.error else None
        return WaitResponse(error=error, status_code=found.exit_code)

    def close(self) -> None:
        """Stop waiting; idempotent."""
        self._waiting.discard(self._future)
        self._future.cancel()


def begin_wait(deps: Containers, ref: str, *, condition: str = "") -> Waiter:
    """Register a wait on the container."""
    container = deps.registry.get(ref)
    condition = condition or "not-running"
    if condition not in container.waiters:
        raise InvalidArgument(f'invalid condition: "{condition}"')
    return Waiter(container, condition)
