"""What nobody needs any more: pure reachability, and when to act on it.

Words       An *operation* (load, import, pull, save...) adds or reads content that no image refers to yet.
Invariants  1. Nothing is collected while an operation runs; what becomes garbage meanwhile goes when the last one ends.
            2. No operation starts while a collection runs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from sampan.base.tasks import finish

N = TypeVar("N")

_SWEEP_TIMEOUT_S = 600.0


def reachable(roots: Iterable[N], refs: Callable[[N], Iterable[N]]) -> set[N]:
    """Every node that `roots` lead to, themselves included; cycles are harmless."""
    found: set[N] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(refs(node))
    return found


class Collector:
    """Decides when `sweep`, which removes everything unreachable, may run."""

    def __init__(self, sweep: Callable[[], Awaitable[None]]) -> None:
        self._sweep = sweep
        self._operations = 0
        self._is_wanted = False
        self._gate = asyncio.Lock()

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """While the block runs, nothing is collected; a block left by an exception has made garbage."""
        async with self._gate:
            self._operations += 1
        try:
            yield
        except BaseException:
            self._is_wanted = True
            raise
        finally:
            self._operations -= 1
            if self._is_wanted and not self._operations:
                await finish(self.collect(), timeout_s=_SWEEP_TIMEOUT_S)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[bool]:
        """Hold new operations off; the value says whether none is running."""
        async with self._gate:
            yield not self._operations

    async def collect(self) -> None:
        """Remove the garbage now, or when the last operation ends."""
        self._is_wanted = True
        async with self._gate:
            if not self._operations and self._is_wanted:
                self._is_wanted = False
                await self._sweep()
