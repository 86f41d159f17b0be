"""A process that the shim started: the container's first one or an exec; its pidfd, its stdio, its end."""

import _socket as socket
import os

from sampan.linux import syscalls
from sampan.runtime import message
from sampan.runtime.shim.loop import IN, Loop
from sampan.runtime.shim.stdio import Stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any
else:
    import _signal as signal  # the same functions without the enums around them

KILLED = 128  # plus the signal's number, as shells count


class Pipes:
    """Three pipes for a process without a terminal: `theirs` for the child, `ours` for the shim.

    `owner` is the (uid, gid) of root in a user namespace, who would else not be allowed to open /dev/stdout.
    Without input, the child's is the host's /dev/null; not `lends_null`: a pipe at its end.
    """

    __slots__ = ("ours", "theirs")

    def __init__(self, *, with_input: bool, owner: "list[int] | None" = None, lends_null: bool = True) -> None:
        output, error = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        given = (
            os.pipe2(os.O_CLOEXEC)
            if with_input or not lends_null
            else (os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1)
        )
        if given[1] >= 0 and not with_input:
            os.close(given[1])
            given = (given[0], -1)
        self.theirs = (given[0], output[1], error[1])
        self.ours = (given[1], output[0], error[0])
        if owner:
            for fd in self.theirs[0 if with_input or not lends_null else 1 :]:
                os.fchown(fd, *owner)

    def close_theirs(self) -> None:
        for fd in self.theirs:
            os.close(fd)

    def close_ours(self) -> None:
        for fd in self.ours:
            if fd >= 0:
                os.close(fd)


class Supervised:
    """A process that the shim looks after; `on_exit(code)` is called once, after it has started and ended."""

    __slots__ = ("exit_code", "is_started", "on_exit", "pid", "pidfd", "stdio")

    def __init__(self, pid: int, pidfd: int, stdio: Stdio, on_exit: "Callable[[int], None]") -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.stdio = stdio
        self.on_exit = on_exit
        self.is_started = False
        self.exit_code: int | None = None

    def kill(self, number: int) -> None:
        """Send a signal; ProcessLookupError when the process has ended."""
        if self.exit_code is not None:
            raise ProcessLookupError(self.pid)
        syscalls.pidfd_send_signal(self.pidfd, number)

    def abandon(self) -> None:
        """Kill and reap a process that is of no use; its callbacks stay silent."""
        raise NotImplementedError


class Process(Supervised):
    """From clone to the reaped end: `on_start(error)` once, with None after execve; `on_exit(code)` once after that."""

    __slots__ = ("_error", "_loop", "_on_event", "_on_start", "_sync")

    def __init__(
        self,
        loop: Loop,
        pid: int,
        pidfd: int,
        sync: socket.socket,
        stdio: Stdio,
        *,
        on_start: "Callable[[dict[str, object] | None], None]",
        on_exit: "Callable[[int], None]",
        on_event: "Callable[[dict[str, Any], list[int]], None] | None" = None,
    ) -> None:
        super().__init__(pid, pidfd, stdio, on_exit)
        self._loop = loop
        self._sync = sync
        self._on_start = on_start
        self._on_event = on_event
        self._error: dict[str, object] | None = None
        loop.watch(sync.fileno(), IN, self._hear)
        loop.watch(pidfd, IN, self._ended)

    def go(self) -> None:
        """Let a waiting first process execute its program."""
        try:
            message.send(self._sync, {"event": "go"})
        except OSError:
            return  # it has died; `_ended` tells

    def _hear(self, events: int) -> None:
        try:
            found = message.receive(self._sync)
        except OSError:
            found = None
        if found is None:
            self._close_sync()
            self.is_started = self._error is None
            self._on_start(self._error)
            return
        event, fds = found
        if event["event"] == "terminal":
            self.stdio.open_terminal(fds[0])
        elif event["event"] == "born":
            self._take_successor(event["pid"], fds[0])
        elif event["event"] == "error":
            self._error = event
        elif self._on_event is not None:
            self._on_event(event, fds)

    def _take_successor(self, pid: object, pidfd: int) -> None:
        """The process has been cloned anew (`runtime.rebirth`): reap the predecessor, which is done, and watch this."""
        self._loop.unwatch(self.pidfd)
        os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
        os.close(self.pidfd)
        assert isinstance(pid, int)
        self.pid, self.pidfd = pid, pidfd
        self._loop.watch(pidfd, IN, self._ended)

    def _close_sync(self) -> None:
        self._loop.unwatch(self._sync.fileno())
        self._sync.close()

    def _ended(self, events: int) -> None:
        if self._sync.fileno() >= 0:
            self._hear(0)
            if self._sync.fileno() >= 0:
                return  # there was more to hear than the end; the pidfd stays readable
            if self.exit_code is not None:
                return  # what it had to say was an error, and it has been reaped
        self._loop.unwatch(self.pidfd)
        ended = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else KILLED + ended.si_status
        self.exit_code = code
        if self.is_started:
            self.stdio.drain()
            self.on_exit(code)

    def abandon(self) -> None:
        if self.exit_code is None:
            self._loop.unwatch(self.pidfd)
            if self._sync.fileno() >= 0:
                self._close_sync()
            syscalls.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
            self.exit_code = KILLED + signal.SIGKILL
