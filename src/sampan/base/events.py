"""Publish and subscribe within the daemon, with bounded queues.

Invariants  1. `publish` never waits: a subscriber whose queue is full is cut off, and told so by `Unavailable`
               after it has read what was queued.
            2. A subscription sees every event published while its `with` block is open, in order.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from sampan.errors import Unavailable

T = TypeVar("T")


class Subscription(Generic[T]):
    """One reader's queue: `await get()`, or iterate; iteration ends when the bus is closed."""

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._queue: deque[T] = deque()
        self._ready = asyncio.Event()
        self._overflowed = False
        self._closed = False

    def _offer(self, event: T) -> None:
        if self._overflowed or self._closed:
            return
        if len(self._queue) >= self._maxsize:
            self._overflowed = True
        else:
            self._queue.append(event)
        self._ready.set()

    def _close(self) -> None:
        self._closed = True
        self._ready.set()

    async def get(self) -> T:
        """The next event; Unavailable when this reader fell behind, StopAsyncIteration when the bus was closed."""
        while True:
            if self._queue:
                return self._queue.popleft()
            if self._overflowed:
                raise Unavailable("event stream cut off: the reader fell behind")
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        return await self.get()


class Bus(Generic[T]):
    """Fans events out to the open subscriptions."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription[T]] = set()

    def publish(self, event: T) -> None:
        for subscription in self._subscriptions:
            subscription._offer(event)

    @contextmanager
    def subscribe(self, maxsize: int = 1024) -> Iterator[Subscription[T]]:
        """Receive what is published from now on."""
        subscription: Subscription[T] = Subscription(maxsize)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every subscription after what it has queued."""
        for subscription in self._subscriptions:
            subscription._close()
