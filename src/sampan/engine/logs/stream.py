"""A container's log as a client receives it: an iterator of bytes, for one reading or for as long as it runs.

Invariants  1. Little is read ahead: _BATCH blocks are in memory, and more is read when the client has taken them.
            2. A following stream ends when the container has stopped and everything it wrote was delivered. The shim
               writes the log before it records the exit, so what is there when `until_stopped` returns is all.
Units       Times in nanoseconds of the Unix epoch; 0 stands for no bound.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass

from sampan.base.tasks import run_blocking
from sampan.engine.logs.files import LogFiles
from sampan.engine.logs.watch import DirectoryWatcher, directory_of
from sampan.logs.decode import Decoder, Selection

_BATCH = 4
"""Blocks for each trip to a thread: the trip costs about as much as decoding one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsRequest:
    """What a client asked for; `tail` None means everything."""

    follow: bool = False
    stdout: bool = True
    stderr: bool = True
    since_ns: int = 0
    until_ns: int = 0
    timestamps: bool = False
    details: bool = False
    tail: int | None = None


async def _stopped_already() -> None:
    return


class LogStream:
    """Iterate it once; files and the watch are held from the first step to the last, or until it is given up."""

    def __init__(
        self,
        path: str,
        request: LogsRequest,
        *,
        tty: bool,
        watcher: DirectoryWatcher,
        until_stopped: Callable[[], Awaitable[object]] = _stopped_already,
    ) -> None:
        """`until_stopped` returns once the container does not run; it may be called often, and cancelled."""
        self.tty = tty
        self._files = LogFiles(path)
        self._directory = directory_of(path)
        self._request = request
        self._watcher = watcher
        self._until_stopped = until_stopped
        self._decoder = Decoder(
            Selection(
                stdout=request.stdout,
                stderr=request.stderr,
                since_ns=request.since_ns,
                until_ns=request.until_ns,
                timestamps=request.timestamps,
                details=request.details,
                tty=tty,
            )
        )
        self._resources = ExitStack()
        self._changed: asyncio.Event | None = None
        self._ends = not request.follow

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        # A generator, so that an iteration that is given up half-way is closed by the event loop.
        try:
            await self._open()
            while chunks := await self._next():
                for chunk in chunks:
                    yield chunk
        finally:
            self._resources.close()

    async def _next(self) -> list[bytes]:
        """The next chunks; none at the stream's end."""
        while True:
            if self._changed is not None:
                # Cleared before looking: a change while we look wakes us again.
                self._changed.clear()
            chunks, at_end = await run_blocking("log", self._read_chunks)
            if chunks:
                return chunks
            if self._decoder.ended or (at_end and self._ends):
                return []
            if at_end and self._changed is not None:
                self._ends = await self._changed_or_over(self._changed)

    async def _open(self) -> None:
        self._resources.callback(self._files.close)
        if self._request.follow:
            self._changed = self._resources.enter_context(self._watcher.watch(self._directory))
        await run_blocking("log", self._open_files)

    def _open_files(self) -> None:
        tail = self._request.tail
        self._files.open(tail=tail if tail is not None and tail >= 0 else None)

    def _read_chunks(self) -> tuple[list[bytes], bool]:
        """(pieces for the client, whether the log's end was reached). Skipped blocks cost no round trip."""
        chunks: list[bytes] = []
        while not self._decoder.ended and len(chunks) < _BATCH:
            lines = self._files.read(follow=self._request.follow)
            if not lines:
                return chunks, True
            if chunk := self._decoder.decode(lines):
                chunks.append(chunk)
        return chunks, self._decoder.ended

    async def _changed_or_over(self, changed: asyncio.Event) -> bool:
        """Wait for a change of the log; True when none will come: the container stopped, or `until` has passed."""
        timeout_s = None
        if self._request.until_ns:
            timeout_s = max(0.0, (self._request.until_ns - time.time_ns()) / 1e9)
        try:
            async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as group:
                change = group.create_task(changed.wait())
                stop = group.create_task(_as_coroutine(self._until_stopped))
                change.add_done_callback(lambda _: stop.cancel())
                stop.add_done_callback(lambda _: change.cancel())
        except TimeoutError:
            return True
        return not stop.cancelled()


async def _as_coroutine(wait: Callable[[], Awaitable[object]]) -> None:
    await wait()
