"""The launcher's own interpreter: a sealed copy in memory.

A container's first process is this interpreter until its execve. Were it the file on disk, a container that got hold of
/proc/<pid>/exe (an image whose entry point is /proc/self/exe, CVE-2019-5736) could write to the host's Python. The copy
is sealed against writing for everybody, for ever (memfd_create(2), F_ADD_SEALS).
"""

import os
import sys

from sampan.linux import constants as c

_ALL_SEALS = c.F_SEAL_SEAL | c.F_SEAL_SHRINK | c.F_SEAL_GROW | c.F_SEAL_WRITE


def sealed_copy(path: str) -> int:
    """A descriptor of a sealed memfd with the content of `path`, to be executed as /proc/self/fd/N."""
    import fcntl

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
