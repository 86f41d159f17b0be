"""A byte stream of the event loop, read by a thread as if it were a file.

    pump(stream), on the loop ──▶ at most LIMIT_BYTES waiting ──▶ read(size), in a thread

Invariants  1. When either side ends, for whatever reason, the other does: `read` then raises what ended the stream,
               `pump` just returns.
            2. The end of the stream is only seen when the stream ended well.
Units       Bytes.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from sampan import errors
from sampan.base.tasks import run_blocking

T = TypeVar("T")

LIMIT_BYTES = 4 << 20


class Feed:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._pieces: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._is_complete = False
        self._failure: BaseException | None = None
        self._is_abandoned = False
        self._room = asyncio.Event()
        self._room.set()
        self.total_bytes = 0

    async def pump(self, stream: AsyncIterator[bytes]) -> None:
        """Pass the whole stream on, as fast as the reader takes it."""
        try:
            async for piece in stream:
                await self._room.wait()
                if self._is_abandoned:
                    return
                self._offer(piece)
        except BaseException as error:
            self._end(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._end(None)

    def read(self, size: int = LIMIT_BYTES) -> bytes:
        """Some bytes, at most `size`; none at the end. Blocks."""
        with self._changed:
            while not self._pieces:
                if self._failure is not None:
                    raise errors.InvalidArgument(f"unexpected EOF: {self._failure}") from self._failure
                if self._is_complete or self._is_abandoned:
                    return b""
                self._changed.wait()
            piece = self._pieces.popleft()
            if len(piece) > size:
                self._pieces.appendleft(piece[size:])
                piece = piece[:size]
            self._waiting_bytes -= len(piece)
            if self._waiting_bytes <= LIMIT_BYTES // 2 and not self._room.is_set():
                self._loop.call_soon_threadsafe(self._room.set)
        return bytes(piece)

    def abandon(self) -> None:
        """The reader wants no more."""
        with self._changed:
            self._is_abandoned = True
            self._pieces.clear()
            self._changed.notify()
        self._loop.call_soon_threadsafe(self._room.set)

    def _offer(self, piece: bytes) -> None:
        with self._changed:
            self._pieces.append(memoryview(piece))
            self._waiting_bytes += len(piece)
            self.total_bytes += len(piece)
            if self._waiting_bytes > LIMIT_BYTES:
                self._room.clear()
            self._changed.notify()

    def _end(self, failure: BaseException | None) -> None:
        with self._changed:
            self._failure = failure
            self._is_complete = failure is None
            self._changed.notify()


async def read_in_thread(stream: AsyncIterator[bytes], kind: str, fn: Callable[[Feed], T]) -> T:
    """Run `fn(feed)` in a thread of the pool `kind` while the stream is pumped to it."""
    feed = Feed()
    outcome: list[T] = []
    failure: list[Exception] = []

    def consume() -> None:
        try:
            outcome.append(fn(feed))
        except Exception as error:  # an edge between threads: raised again below
            failure.append(error)
        finally:
            feed.abandon()

    async def reading() -> None:
        try:
            await run_blocking(kind, consume)
        finally:
            pumping.cancel()

    async with asyncio.TaskGroup() as group:
        pumping = group.create_task(feed.pump(stream))
        group.create_task(reading())
    if failure:
        raise failure[0]
    return outcome[0]
