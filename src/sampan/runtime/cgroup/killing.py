"""Signals to every process of a cgroup.

A process may fork between the look at who is there and the signal. SIGKILL is therefore sent until nobody is left; any
other signal is sent while all are frozen, so that each gets it once.
"""

import errno
import os
import time

from sampan.runtime.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.cgroup.contract import Cgroup

_SIGKILL = 9


def signal_all(cgroup: "Cgroup", signal: int, *, patience_s: float) -> bool:
    """Whether, after SIGKILL, the cgroup is empty; True for other signals."""
    if signal == _SIGKILL:
        return _kill_until_empty(cgroup, patience_s)
    was_frozen = cgroup.is_frozen()
    try:
        cgroup.freeze(frozen=True)
    except OSError:
        # No freezer, or it is stuck: a process that is just being born may miss the signal.
        was_frozen = True
    try:
        _signal(cgroup.pids(), signal)
    finally:
        if not was_frozen:
            cgroup.freeze(frozen=False)
    return True


def _kill_until_empty(cgroup: "Cgroup", patience_s: float) -> bool:
    deadline_s = time.monotonic() + patience_s
    pause_s = 0.0005
    while True:
        there = cgroup.pids()
        if not there:
            return True
        if cgroup.version == 2:
            _kill_file(cgroup.folders[""])
        _signal(there, _SIGKILL)
        if cgroup.is_frozen():
            cgroup.freeze(frozen=False)  # on version 1 a frozen process does not die before
        if time.monotonic() > deadline_s:
            return False
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.05)


def _kill_file(folder: str) -> None:
    # Since 5.14: it kills all at once, those being born too.
    try:
        files.write(folder, "cgroup.kill", 1)
    except files.CgroupError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
            raise


def _signal(pids: "set[int]", signal: int) -> None:
    for pid in pids - {os.getpid()}:
        try:
            os.kill(pid, signal)
        except ProcessLookupError:
            continue
