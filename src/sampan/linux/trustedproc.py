"""A procfs that is one, and files of the calling process in it.

An image, or a mount of the container, may put anything at /proc, and anything on top of a file below it: a write to
"/proc/self/attr/exec" can be made to go nowhere (CVE-2019-16884) or to /proc/sysrq-trigger (CVE-2025-52881).

Invariants  1. `open_proc` gives the root of a genuine procfs. At best it is a detached mount of our own, which nobody
               can mount over; else the /proc of the current mount namespace, after a look at what it is.
            2. What is opened below never crosses a mount point and never follows a magic link, and the opened file is
               checked to be a regular file of procfs before anything is written.
Namespaces  A procfs shows the PID namespace of whoever mounted it: open it where the calling process has a pid.
Errors      OSError; EXDEV or ELOOP when something has been mounted over a file, NotGenuine when it is not procfs.
"""

import errno
import os
import stat

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.newmount import (
    NSFS_MAGIC,
    PROC_SUPER_MAGIC,
    filesystem_type,
    fsconfig_create,
    fsconfig_string,
    fsmount,
    fsopen,
)

_ROOT_INODE = 1  # PROC_ROOT_INO (linux/proc_ns.h)
_INSIDE = c.RESOLVE_BENEATH | c.RESOLVE_NO_XDEV | c.RESOLVE_NO_MAGICLINKS
# What a kernel, a user namespace or a filter says that lets no new procfs be made.
_CANNOT = (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENODEV)


class NotGenuine(OSError):
    """What should have been a file of procfs, or a namespace, is something else."""

    def __init__(self, path: str, wanted: str = "procfs") -> None:
        super().__init__(errno.EXDEV, f"not a file of {wanted}", path)


def open_proc(*, only_processes: bool = True) -> int:
    """An O_PATH descriptor of the root of a genuine procfs; without `only_processes` it shows /proc/sys, too.

    Call it while /proc is the host's still, for where no detached one can be made that is what is left.
    """
    try:
        return _detached(only_processes=only_processes)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    return _check_root(os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))


def _detached(*, only_processes: bool) -> int:
    fs_fd = fsopen("proc")
    try:
        if only_processes:
            try:
                fsconfig_string(fs_fd, "subset", "pid")
            except OSError as error:
                # Linux 5.8 brought it; it only makes less to be found.
                if error.errno != errno.EINVAL:
                    raise
        fsconfig_create(fs_fd)
        return fsmount(fs_fd)
    finally:
        os.close(fs_fd)


def _check_root(fd: int) -> int:
    if filesystem_type(fd) != PROC_SUPER_MAGIC or os.fstat(fd).st_ino != _ROOT_INODE:
        os.close(fd)
        raise NotGenuine("/proc")
    return fd


def open_file(proc_fd: int, path: str, flags: int) -> int:
    """Open a regular file of the procfs, by its path from the root of that."""
    try:
        fd = syscalls.openat2(proc_fd, path, flags | os.O_NOCTTY, resolve=_INSIDE)
    except OSError as error:
        error.filename = f"/proc/{path}"
        raise
    if filesystem_type(fd) == PROC_SUPER_MAGIC and stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise NotGenuine(f"/proc/{path}")


def open_self(proc_fd: int, name: str, flags: int = os.O_RDONLY) -> int:
    """Open /proc/thread-self/<name>; some files, those of attr/ among them, are a thread's (proc(5))."""
    return open_file(proc_fd, f"thread-self/{name}", flags)


def read_self(proc_fd: int, name: str) -> bytes:
    """The first page of /proc/thread-self/<name>."""
    fd = open_self(proc_fd, name)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def write_self(proc_fd: int, name: str, value: str) -> None:
    """Write to /proc/thread-self/<name> in one system call, as its files want it."""
    write_file(proc_fd, f"thread-self/{name}", value)


def write_file(proc_fd: int, path: str, value: str) -> None:
    """Write to a file of the procfs, by its path from the root of that, in one system call."""
    fd = open_file(proc_fd, path, os.O_WRONLY)
    try:
        os.write(fd, value.encode())
    except OSError as error:
        error.filename = f"/proc/{path}"
        raise
    finally:
        os.close(fd)


def open_namespace(proc_fd: int, name: str) -> int:
    """A descriptor of the namespace /proc/thread-self/ns/<name>: a magic link, so what it led to is looked at."""
    # The directory is reached without crossing a mount, but a link cannot be: a mount on it would be followed.
    folder = syscalls.openat2(proc_fd, "thread-self/ns", os.O_PATH | os.O_DIRECTORY, resolve=_INSIDE)
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
    if filesystem_type(fd) == NSFS_MAGIC:
        return fd
    os.close(fd)
    raise NotGenuine(f"/proc/thread-self/ns/{name}", "nsfs")


def mount_on(
    proc_fd: int, target_fd: int, flags: int, *, source: str = "", fstype: str = "", options: str = ""
) -> None:
    """mount(2) onto what `target_fd` stands for, by its link in the procfs; a relative `source` has no meaning.

    The working directory is the procfs meanwhile: mount(2) takes no directory descriptor.
    """
    back = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    folder = syscalls.openat2(proc_fd, "thread-self/fd", os.O_PATH | os.O_DIRECTORY, resolve=_INSIDE)
    try:
        os.fchdir(folder)
        syscalls.mount(source, str(target_fd), fstype, flags, options)
    finally:
        os.fchdir(back)
        os.close(folder)
        os.close(back)
