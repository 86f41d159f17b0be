"""The shim's event loop: descriptors and deadlines, one thread, no more than epoll(7) gives."""

import os
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

IN = select.EPOLLIN
OUT = select.EPOLLOUT
GONE = select.EPOLLHUP | select.EPOLLERR


class Loop:
    """Calls `callback(events)` for watched descriptors, and functions at their time, until `stop`."""

    __slots__ = ("_callbacks", "_epoll", "_is_running", "_timers")

    def __init__(self) -> None:
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._is_running = True

    def watch(self, fd: int, events: int, callback: "Callable[[int], None]") -> None:
        """Begin, or change what is waited for; `events` 0 still reports EPOLLHUP and EPOLLERR."""
        if fd in self._callbacks:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """End; to be called before the descriptor is closed. Nothing if it is not watched."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def after(self, delay_s: float, action: "Callable[[], None]") -> None:
        """Call `action` once, `delay_s` from now."""
        self._timers.append((time.monotonic() + delay_s, action))
        self._timers.sort(key=lambda timer: timer[0])

    def stop(self) -> None:
        self._is_running = False

    def run(self) -> None:
        """Until `stop`."""
        while self._is_running:
            timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for fd, events in self._epoll.poll(timeout):
                # A callback before this one may have dropped the descriptor.
                callback = self._callbacks.get(fd)
                if callback is not None:
                    self._protected(callback, events)
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._protected(self._timers.pop(0)[1])

    def _protected(self, action: "Callable[..., None]", *arguments: int) -> None:
        # A mistake in one exec's or client's handling must not end the container with its supervisor.
        try:
            action(*arguments)
        except Exception as error:
            sys.stderr.write(f"shim {os.getpid()}: {action!r}: {type(error).__name__}: {error}\n")
            sys.stderr.flush()
