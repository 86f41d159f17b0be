"""Aio tasks and threads: the only place where either is started.

Invariants  1. Every aio task is owned by a `TaskScope` (or a TaskGroup) whose end awaits it.
            2. `run_blocking` returns, or raises CancelledError, only after its thread is done with the call: what
               the call uses (descriptors, files) is never released under it.
            3. `finish` runs its awaitable to the end, or to its time limit, even when the caller is cancelled.
Units       Seconds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_log = logging.getLogger("sampan.tasks")

# How many calls of a kind may run at once. Two cores' worth for what computes; more for what mostly waits.
_LIMITS = {"disk": 4, "hash": 2, "untar": 2, "net": 4, "log": 8}
_pools: dict[str, ThreadPoolExecutor] = {}


def _pool(kind: str) -> ThreadPoolExecutor:
    pool = _pools.get(kind)
    if pool is None:
        pool = _pools[kind] = ThreadPoolExecutor(_LIMITS[kind], thread_name_prefix=kind)
    return pool


async def _wait_done(future: "asyncio.Future[T]") -> T:
    """The future's result; a cancellation is delivered after the future is done."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not future.cancelled():
            future.exception()  # seen: the cancellation takes its place
        raise cancelled
    return future.result()


async def run_blocking(kind: str, fn: Callable[[*Ts], T], *args: *Ts) -> T:
    """Call `fn` in a thread of the pool `kind` ("disk", "hash", "untar", "net", "log")."""
    return await _wait_done(asyncio.get_running_loop().run_in_executor(_pool(kind), fn, *args))


async def concurrently(*coros: Coroutine[Any, Any, Any]) -> list[Any]:
    """The results of `coros`, run at the same time; when one fails, the rest is cancelled and its error raised."""
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(coro) for coro in coros]
    except BaseExceptionGroup as failed:
        error = failed.exceptions[0]
        for other in failed.exceptions[1:]:
            error.add_note(f"also failed: {other}")
        raise error from error.__cause__
    return [task.result() for task in running]


async def finish(awaitable: Awaitable[T], *, timeout_s: float = 10.0) -> T:
    """Await clean-up that must not be cut short by a cancellation; TimeoutError when it takes too long."""

    async def limited() -> T:
        async with asyncio.timeout(timeout_s):
            return await awaitable

    return await _wait_done(asyncio.get_running_loop().create_task(limited(), name="finish"))


class TaskScope:
    """Background aio tasks that live no longer than its `async with` block.

    A task's exception is logged and ends that task only; leaving the block cancels the rest and awaits them.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False

    async def __aenter__(self) -> "TaskScope":
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await finish(asyncio.wait(set(self._tasks)), timeout_s=30)

    def spawn(self, coro: Coroutine[Any, Any, object], *, name: str) -> None:
        """Run `coro` in the background."""
        if not self._open:
            coro.close()
            raise RuntimeError(f"{self._name} is closed: {name} not started")
        task = asyncio.get_running_loop().create_task(self._supervise(coro, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step never gets to await `coro`.
        task.add_done_callback(lambda _: coro.close())

    async def _supervise(self, coro: Coroutine[Any, Any, object], name: str) -> None:
        try:
            await coro
        except Exception:
            _log.exception("%s: %s failed", self._name, name)
