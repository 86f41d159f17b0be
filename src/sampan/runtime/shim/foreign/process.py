"""A process that another runtime has made for us: found by its pid, ours by inheritance."""

import os

from sampan.linux import syscalls
from sampan.runtime.shim.foreign.children import Children
from sampan.runtime.shim.process import Supervised

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from sampan.runtime.shim.stdio import Stdio
else:
    import _signal as signal  # the same functions without the enums around them


class Adopted(Supervised):
    """One without a pid at first. An end before `started` is kept back until then; abandoned, it is kept for good."""

    __slots__ = ("_children", "_is_abandoned")

    def __init__(self, children: Children, stdio: "Stdio", on_exit: "Callable[[int], None]") -> None:
        super().__init__(0, -1, stdio, on_exit)
        self._children = children
        self._is_abandoned = False

    def adopt(self, pid: int) -> None:
        """The runtime has named it; ChildProcessError when it was not left to us."""
        if self._children.watch(pid, self._ended):
            self.pidfd = os.pidfd_open(pid)  # at worst a zombie, until the reaper's next turn
        self.pid = pid

    def started(self) -> None:
        """It executes its program, says the runtime; or has done so."""
        self.is_started = True
        if self.exit_code is not None:
            self._tell()

    def _ended(self, code: int) -> None:
        self.exit_code = code
        if self.is_started:
            self._tell()

    def _tell(self) -> None:
        assert self.exit_code is not None
        if not self._is_abandoned:
            self.stdio.drain()
            self.on_exit(self.exit_code)

    def kill(self, number: int) -> None:
        if self.pidfd < 0:
            raise ProcessLookupError(self.pid)
        super().kill(number)

    def abandon(self) -> None:
        """Kill it; the reaper takes it when it has ended."""
        self._is_abandoned = True
        if self.pidfd >= 0 and self.exit_code is None:
            try:
                syscalls.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            except ProcessLookupError:
                return

    def let_go(self) -> None:
        """It has ended and nobody asks any more."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def read_pid(path: str) -> int:
    """The pid in a file of `--pid-file`; OSError when there is none."""
    with open(path, encoding="ascii") as file:
        text = file.read().strip()
    if not text.isdigit():
        raise OSError(f"the runtime wrote no process id to {path}: {text!r}")
    return int(text)
