"""Processes by pid and start time, so that a reused pid is noticed (proc_pid_stat(5), field 22)."""

import os
import select

from sampan.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the same functions without the enums around them


def start_ticks(pid: int) -> int:
    """The start time of `pid` in clock ticks since boot; ProcessLookupError if there is none, or only a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(pid) from None
    if fields[0] in (b"Z", b"X"):
        raise ProcessLookupError(pid)
    return int(fields[19])


def open_if_same(pid: int, ticks: int) -> "int | None":
    """A pidfd of the process that had `pid` and started at `ticks`; None when that one is gone."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if start_ticks(pid) == ticks:
            return fd
    except ProcessLookupError:
        pass
    os.close(fd)
    return None


def kill_if_same(pid: int, ticks: int, *, patience_s: float = 0.0) -> bool:
    """SIGKILL to the process that had `pid` and started at `ticks`, waiting for its end; False when it was gone."""
    fd = open_if_same(pid, ticks)
    if fd is None:
        return False
    try:
        syscalls.pidfd_send_signal(fd, signal.SIGKILL)
        if patience_s:
            select.select([fd], [], [], patience_s)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True
