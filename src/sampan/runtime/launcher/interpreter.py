"""The launcher's own interpreter: one that nobody can write to through a container.

A container's first process is this interpreter until its execve. Were it executed by its path, a container that got
hold of /proc/<pid>/exe (an image whose entry point is /proc/self/exe, CVE-2019-5736) could write to the host's Python.
So it is executed from a detached, read-only mount of that file: whoever opens /proc/<pid>/exe opens it through that
mount. Its pages are still shared with every other Python of the host. Where the kernel cannot do that (before 5.12), a
sealed copy in memory serves (memfd_create(2), F_ADD_SEALS).
"""

import fcntl
import os
import sys

from sampan.linux import constants as c
from sampan.linux import syscalls

_ALL_SEALS = c.F_SEAL_SEAL | c.F_SEAL_SHRINK | c.F_SEAL_GROW | c.F_SEAL_WRITE


def guarded(path: str) -> int:
    """A descriptor to execute `path` by, as /proc/self/fd/N, so that the running program leads to no writable file."""
    try:
        return read_only_mount(path)
    except OSError:
        return sealed_copy(path)


def read_only_mount(path: str) -> int:
    """A detached read-only mount of one file; Linux 5.12, CAP_SYS_ADMIN."""
    fd = syscalls.open_tree(c.AT_FDCWD, path, c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC)
    try:
        syscalls.mount_setattr(fd, 0, attr_set=c.MOUNT_ATTR_RDONLY)
    except BaseException:
        os.close(fd)
        raise
    return fd


def sealed_copy(path: str) -> int:
    """A sealed memfd with the content of `path`."""
    memfd = os.memfd_create("python", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        left = os.fstat(source).st_size
        while left:
            left -= os.sendfile(memfd, source, None, left)
    finally:
        os.close(source)
    fcntl.fcntl(memfd, c.F_ADD_SEALS, _ALL_SEALS)
    return memfd


def real_interpreter() -> str:
    """The interpreter's file, behind any virtual environment (the launcher needs the standard library only)."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def command(socket_fd: int, helper_modules: "list[str]") -> "list[str]":
    """The launcher's command line: isolated, without site, with this very package on its path."""
    package_parent = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    program = (
        f"import sys; sys.path.insert(0, {package_parent!r}); "
        f"from sampan.runtime.launcher.main import main; main({socket_fd}, {helper_modules!r})"
    )
    return [real_interpreter(), "-I", "-S", "-c", program]
