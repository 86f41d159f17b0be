"""Time namespaces: clocks of the container's own that run ahead of, or behind, the host's (time_namespaces(7)).

Order       A new time namespace is that of children until somebody enters it; its offsets can be written until then.
            `create` makes it and writes them; a process cloned after that is inside. `enter` takes the caller in, too.
Privilege   The file is root's and needs CAP_SYS_TIME in the user namespace that owns the time namespace: with a user
            namespace it is `create` before that one is made, then clone.
Kernel      5.6; setns(2) wants a single thread.
"""

import errno
import os

from sampan.linux import constants as c
from sampan.linux import syscalls, trustedproc
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CLOCKS = ("monotonic", "boottime")


def offsets_text(offsets: "dict[str, Any]") -> str:
    """What timens_offsets takes for `linux.timeOffsets`: a line for each clock (proc_pid_timens_offsets(5))."""
    lines = []
    for clock, offset in offsets.items():
        if clock not in CLOCKS:
            raise StageError(f"invalid time offset: no such clock {clock!r}")
        lines.append(f"{clock} {int(offset.get('secs') or 0)} {int(offset.get('nanosecs') or 0)}\n")
    return "".join(lines)


def create(offsets: "dict[str, Any]", *, proc_fd: int = -1) -> None:
    """A time namespace for the children to come. `proc_fd`: see `linux.trustedproc`; -1 for one of one's own."""
    if proc_fd < 0:
        _with_proc(create, offsets)
        return
    text = offsets_text(offsets)
    try:
        syscalls.unshare(c.CLONE_NEWTIME)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise StageError("time namespaces aren't enabled in the kernel") from error
        raise StageError(f"unshare the time namespace: {_reason(error)}") from error
    if text:
        _write(proc_fd, text)


def _with_proc(action: "Callable[..., None]", offsets: "dict[str, Any]") -> None:
    proc_fd = trustedproc.open_proc()
    try:
        action(offsets, proc_fd=proc_fd)
    finally:
        os.close(proc_fd)


def _write(proc_fd: int, text: str) -> None:
    try:
        # The main thread's, not thread-self's: the file is not among a thread's.
        trustedproc.write_file(proc_fd, "self/timens_offsets", text)
    except OSError as error:
        # ERANGE: a clock would be below zero, or beyond 146 years.
        raise StageError(f"write /proc/self/timens_offsets: {_reason(error)}") from error


def enter(offsets: "dict[str, Any]", *, proc_fd: int = -1) -> None:
    """A time namespace that the caller is in as well as its children."""
    if proc_fd < 0:
        _with_proc(enter, offsets)
        return
    create(offsets, proc_fd=proc_fd)
    join(trustedproc.open_namespace(proc_fd, "time_for_children"))


def join(namespace_fd: int) -> None:
    """Enter a time namespace that there is; takes the descriptor."""
    try:
        syscalls.setns(namespace_fd, c.CLONE_NEWTIME)
    except OSError as error:
        raise StageError(f"join the time namespace: {_reason(error)}") from error
    finally:
        os.close(namespace_fd)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
