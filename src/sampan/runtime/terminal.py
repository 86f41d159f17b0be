"""A process's standard streams inside a container: its terminal, the console, who owns them.

Security    The terminal is made in the container's own devpts, which is opened inside the root. /dev/console is
            mounted on a descriptor that is checked to be a plain file or device, never through a name that could be a
            link (CVE-2025-52565), and before any other process can be in the container.
"""

import _socket as socket
import errno
import fcntl
import os
import stat
import struct

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.rootpath import open_in_root
from sampan.runtime import message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NULL = os.makedev(1, 3)


def pair(root_fd: int) -> "tuple[int, int]":
    """(master, slave) of a new pseudo-terminal of the container's own devpts."""
    try:
        master = open_in_root(root_fd, "/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    except FileNotFoundError:
        master = open_in_root(root_fd, "/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, c.TIOCSPTLCK, struct.pack("i", 0))
    slave = fcntl.ioctl(master, c.TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    return master, slave


def set_size(terminal_fd: int, *, height: int, width: int) -> None:
    """The size of a terminal in characters (ioctl_tty(2), TIOCSWINSZ)."""
    fcntl.ioctl(terminal_fd, c.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def open_terminal(sync: socket.socket, root_fd: int, process: "dict[str, Any]") -> int:
    """A terminal of the size that the process wants: the supervisor gets the master, the caller a slave."""
    master, slave = pair(root_fd)
    size = process.get("consoleSize") or {}
    if size:
        set_size(master, height=size.get("height", 0), width=size.get("width", 0))
    message.send(sync, {"event": "terminal"}, [master])
    os.close(master)
    return slave


def mount_console(root_fd: int, slave_fd: int) -> None:
    """Make /dev/console the terminal itself: mounted, for a link would resolve elsewhere in other devpts instances."""
    dev = open_in_root(root_fd, "/dev", os.O_PATH | os.O_DIRECTORY)
    try:
        try:
            os.close(os.open("console", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=dev))
        except FileExistsError:
            pass  # an image's own, or a device of the config; looked at below
        target = os.open("console", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dev)
    finally:
        os.close(dev)
    try:
        if stat.S_IFMT(os.fstat(target).st_mode) not in (stat.S_IFREG, stat.S_IFCHR):
            raise OSError(errno.EINVAL, "neither a file nor a device", "/dev/console")
        tree = syscalls.open_tree(slave_fd, "", c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | c.AT_EMPTY_PATH)
        syscalls.move_mount(tree, target)
        os.close(tree)
    finally:
        os.close(target)


def take_stdio(fds: "tuple[int, int, int]", *, is_terminal: bool) -> None:
    """Make three descriptors standard input, output and error; a terminal becomes the controlling one."""
    os.setsid()
    for number, fd in enumerate(fds):
        os.dup2(fd, number, inheritable=True)
    if is_terminal:
        fcntl.ioctl(0, c.TIOCSCTTY, 0)


def own_stdio(uid: int, gid: int) -> None:
    """Give standard streams to the user, so that /dev/stdout can be opened anew; not what is shared with the host.

    A terminal keeps its group, by which others write to it (wall(1)).
    """
    if uid:
        for fd in range(3):
            found = os.fstat(fd)
            if stat.S_ISCHR(found.st_mode):
                if found.st_rdev != _NULL:
                    _give(fd, uid, -1)
            elif (found.st_uid, found.st_gid) != (uid, gid):
                _give(fd, uid, gid)


def _give(fd: int, uid: int, gid: int) -> None:
    try:
        os.fchown(fd, uid, gid)
    except OSError as error:
        # A user that the namespace does not map, or a file system that will not: the stream works, only not anew.
        if error.errno not in (errno.EINVAL, errno.EPERM, errno.EROFS):
            raise
