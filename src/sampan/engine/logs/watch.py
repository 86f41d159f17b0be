"""One inotify instance for all who follow logs.

Invariants  1. A change made after `watch` returned sets the event; a reader clears it before it looks, so no change
               is missed.
            2. Where the kernel has no watch left to give, the event is set by a clock instead: slower, still correct.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sampan.linux.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, IN_ONLYDIR, Inotify

_MASK = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR
_POLL_S = 0.2


class DirectoryWatcher:
    """Tells readers that something in a directory changed. Belongs to one event loop; `close` ends it."""

    def __init__(self) -> None:
        self._inotify: Inotify | None = None
        self._readers: dict[int, set[asyncio.Event]] = {}

    @contextmanager
    def watch(self, directory: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever a file in `directory` is written to, made, or moved there."""
        changed = asyncio.Event()
        try:
            watch = self._instance().add_watch(directory, _MASK)
        except OSError:
            with _polled(changed):
                yield changed
            return
        self._readers.setdefault(watch, set()).add(changed)
        try:
            yield changed
        finally:
            self._forget(watch, changed)

    def close(self) -> None:
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fd)
            self._inotify.close()
            self._inotify = None
            self._readers.clear()

    def _instance(self) -> Inotify:
        if self._inotify is None:
            self._inotify = Inotify()
            asyncio.get_running_loop().add_reader(self._inotify.fd, self._deliver)
        return self._inotify

    def _deliver(self) -> None:
        if self._inotify is None:
            return
        for event in self._inotify.read():
            # -1: the kernel's queue overflowed, so everybody has to look.
            groups = self._readers.values() if event.watch < 0 else (self._readers.get(event.watch, ()),)
            for group in groups:
                for changed in group:
                    changed.set()

    def _forget(self, watch: int, changed: asyncio.Event) -> None:
        readers = self._readers.get(watch)
        if readers is None:
            return
        readers.discard(changed)
        if readers:
            return
        del self._readers[watch]
        if self._inotify is not None:
            try:
                self._inotify.remove_watch(watch)
            except OSError:
                # EINVAL: the directory is gone, and its watch with it.
                return


@contextmanager
def _polled(changed: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def tick() -> None:
        nonlocal timer
        changed.set()
        timer = loop.call_later(_POLL_S, tick)

    timer = loop.call_later(_POLL_S, tick)
    try:
        yield
    finally:
        timer.cancel()


def directory_of(path: str) -> str:
    """The directory to watch for a log file and its rotations."""
    return os.path.dirname(path) or "."
