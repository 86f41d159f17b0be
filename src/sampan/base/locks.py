"""Locks by key, made when first asked for and forgotten when last released."""

import asyncio
from types import TracebackType


class Keyed:
    """`async with keyed(key):` lets one holder per key at a time in; waiters are served in order."""

    def __init__(self) -> None:
        self._held: dict[str, _Entry] = {}

    def __call__(self, key: str) -> "_Hold":
        return _Hold(self._held, key)

    def __len__(self) -> int:
        """Keys that are held or waited for."""
        return len(self._held)


class _Entry:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class _Hold:
    __slots__ = ("_entry", "_held", "_key")

    def __init__(self, held: dict[str, _Entry], key: str) -> None:
        self._held = held
        self._key = key

    async def __aenter__(self) -> None:
        entry = self._held.get(self._key)
        if entry is None:
            entry = self._held[self._key] = _Entry()
        self._entry = entry
        entry.users += 1
        try:
            await entry.lock.acquire()
        except BaseException:
            self._forget()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entry.lock.release()
        self._forget()

    def _forget(self) -> None:
        self._entry.users -= 1
        if not self._entry.users:
            del self._held[self._key]
