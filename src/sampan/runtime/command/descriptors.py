"""Which descriptors of the caller go along: those of --preserve-fds, then those of socket activation, from 3 on.

Every other that the caller has left open is closed before anything else happens: it is no business of the container
(CVE-2024-21626). One that is asked for and not open is left out, for its number may soon be that of one of ours.
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


def take(count: int) -> "list[int]":
    """Of the `count` from FIRST on those that the caller has left open for us; the rest of his are closed."""
    if count < 0:
        raise InvalidArgument(f"the number of descriptors to preserve is negative: {count}")
    inherited = {fd for fd in map(int, os.listdir("/proc/self/fd")) if fd >= FIRST and _is_inherited(fd)}
    wanted = [fd for fd in range(FIRST, FIRST + count) if fd in inherited]
    for fd in inherited.difference(wanted):
        os.close(fd)
    return wanted


def _is_inherited(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)  # ours are all close-on-exec
    except OSError:
        return False
