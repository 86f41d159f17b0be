"""The way into a root without pivot_root(2), for a host whose own root is its initial RAM disk (`--no-pivot`).

The new root is moved over the old one, which stays in the mount namespace, out of sight. The kernel lets whoever has
a user namespace of his own mount a procfs or sysfs if one is mounted in full, seen or not; so the host's, which have
nothing masked, go first.
"""

import errno
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import unescape


def enter(root_fd: int) -> None:
    """Make the mount that `root_fd` stands for the root, with which the working directory ends."""
    for path in full_mounts(_mountinfo(), os.readlink(f"/proc/self/fd/{root_fd}")):
        _hide(path)
    os.fchdir(root_fd)
    syscalls.mount(".", "/", "", c.MS_MOVE)
    os.chroot(".")


def _mountinfo() -> str:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def full_mounts(mountinfo: str, root_path: str) -> "list[str]":
    """Where a whole procfs or sysfs is mounted outside of the root, the last mounted first (proc_pid_mountinfo(5))."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        root, path = before.split(" ")[3:5]
        path = unescape(path)
        if root == "/" and after.split(" ", 1)[0] in ("proc", "sysfs") and not f"{path}/".startswith(f"{root_path}/"):
            found.append(path)
    return found[::-1]


def _hide(path: str) -> None:
    try:
        syscalls.mount("", path, "", c.MS_SLAVE | c.MS_REC)
        syscalls.umount2(path, c.MNT_DETACH)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return  # it went with one above
        if error.errno not in (errno.EINVAL, errno.EPERM):
            raise
        syscalls.mount("tmpfs", path, "tmpfs", 0, "size=0k")  # locked: no more than covered
