"""The ends of all children of this process, in one place: of those it forked and of those that were left to it.

A runtime's command ends and leaves the container's process to us (PR_SET_CHILD_SUBREAPER, prctl(2)); that may have
ended too by the time its pid is read. So every child is reaped when it ends, and while `expecting` (a command is under
way that may still name a pid) the ends that nobody asked for are kept.
Invariant   A pid that is watched stays a zombie at least until this process has collected it, in its one thread.
"""

import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime.shim.loop import IN, Loop
from sampan.runtime.shim.process import KILLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal  # the same functions without the enums around them


class Children:
    """The reaper of a process; there can be one, for it takes SIGCHLD."""

    __slots__ = ("_ended", "_loop", "_pipe", "_watched", "expecting")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._watched: dict[int, Callable[[int], None]] = {}
        self._ended: dict[int, int] = {}
        self.expecting = 0
        self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        syscalls.prctl(c.PR_SET_CHILD_SUBREAPER, 1)
        # The handler does nothing: what wakes the loop is the byte that the interpreter writes before it runs.
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _noted)
        loop.watch(self._pipe[0], IN, self._woken)

    def _woken(self, events: int) -> None:
        try:
            os.read(self._pipe[0], 4096)
        except BlockingIOError:
            pass  # `collect` was called by hand meanwhile
        self.collect()

    def collect(self) -> None:
        """Reap what has ended, and tell who watches."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = exit_code_of(status)
            on_end = self._watched.pop(pid, None)
            if on_end is not None:
                on_end(code)
            elif self.expecting:
                self._ended[pid] = code

    def watch(self, pid: int, on_end: "Callable[[int], None]") -> bool:
        """Call `on_end(exit code)` when `pid` has ended, never at once; False when it has ended and is reaped already.

        ChildProcessError: it is no child of ours.
        """
        code = self._ended.pop(pid, None)
        if code is not None:
            self._loop.after(0, lambda: on_end(code))
            return False
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        self._watched[pid] = on_end
        return True

    def expect(self) -> None:
        """A command begins that may leave us a process."""
        self.expecting += 1

    def settle(self) -> None:
        """That command has been dealt with."""
        self.expecting -= 1
        if not self.expecting:
            self._ended.clear()

    def close(self) -> None:
        """Give SIGCHLD and the orphans back."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        syscalls.prctl(c.PR_SET_CHILD_SUBREAPER, 0)
        self._loop.unwatch(self._pipe[0])
        for fd in self._pipe:
            os.close(fd)


def _noted(number: int, frame: object) -> None:
    return


def exit_code_of(status: int) -> int:
    """The exit code in a wait status, as shells count: 128 and the signal's number for a killed process."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else KILLED - code
