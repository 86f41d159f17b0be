"""Freezing and thawing, and waiting until it is so.

Version 1 can get stuck in FREEZING while processes fork or enter: writing FROZEN again helps, and so does a moment of
thaw now and then (the kernel never made this reliable; version 2 is). A cgroup that did not freeze in time is thawed: a
half-frozen one could neither run nor be killed.
"""

import errno
import time

from sampan.runtime.cgroup import files

PATIENCE_S = 10.0
_TRIES_BEFORE_THAW = 50


def set_v1(folder: str, *, frozen: bool) -> None:
    """Write `freezer.state` until it says so; CgroupError ETIMEDOUT when it does not freeze."""
    if not frozen:
        _ignoring_absence(folder, "freezer.state", "THAWED")
        return
    try:
        _freeze_v1(folder)
    except BaseException:
        _ignoring_absence(folder, "freezer.state", "THAWED")
        raise


def _freeze_v1(folder: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    tries = 0
    while True:
        files.write(folder, "freezer.state", "FROZEN")
        if files.read(folder, "freezer.state") == "FROZEN":
            return
        if time.monotonic() > deadline_s:
            raise _too_late(folder)
        tries += 1
        if tries % _TRIES_BEFORE_THAW == 0:
            files.write(folder, "freezer.state", "THAWED")
            time.sleep(0.01)
        elif tries > 5:
            time.sleep(0.0005)


def set_v2(folder: str, *, frozen: bool) -> None:
    """Write `cgroup.freeze` and wait for `cgroup.events`; CgroupError ETIMEDOUT when it does not freeze."""
    if not frozen:
        _ignoring_absence(folder, "cgroup.freeze", 0)
        return
    files.write(folder, "cgroup.freeze", 1)
    deadline_s = time.monotonic() + PATIENCE_S
    pause_s = 0.0005
    while not files.keyed(folder, "cgroup.events", "frozen"):
        if time.monotonic() > deadline_s:
            _ignoring_absence(folder, "cgroup.freeze", 0)
            raise _too_late(folder)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.02)


def _ignoring_absence(folder: str, name: str, value: object) -> None:
    try:
        files.write(folder, name, value)
    except files.CgroupError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise


def _too_late(folder: str) -> files.CgroupError:
    return files.CgroupError(errno.ETIMEDOUT, f"unable to freeze {folder} within {PATIENCE_S:.0f} s")
