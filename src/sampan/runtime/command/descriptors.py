"""Which descriptors of the caller go along: those of --preserve-fds, then those of socket activation, from 3 on.

One that the caller has not left open must be refused: its number may by then be that of a descriptor of ours, and the
container must not get that.
"""

import os

from sampan.errors import InvalidArgument

FIRST = 3


def activated() -> int:
    """How many systemd has given us (sd_listen_fds(3)); without LISTEN_PID they are taken to be ours."""
    count, pid = os.environ.get("LISTEN_FDS", ""), os.environ.get("LISTEN_PID", "")
    if not count or (pid and pid != str(os.getpid())):
        return 0
    if not count.isdecimal():
        raise InvalidArgument(f"unable to convert LISTEN_FDS={count} to int")
    return int(count)


def check(count: int) -> None:
    """InvalidArgument, in runc's words, unless so many have been left open for us."""
    if count < 0:
        raise InvalidArgument(f"the number of descriptors to preserve is negative: {count}")
    for index in range(count):
        if not _is_inherited(FIRST + index):
            where = f"stat /proc/self/fd/{FIRST + index}: no such file or directory"
            raise InvalidArgument(f"unable to stat preserved-fd {index} (of {count}): {where}")


def _is_inherited(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)  # ours are all close-on-exec
    except OSError:
        return False
