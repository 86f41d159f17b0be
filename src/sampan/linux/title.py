"""What a forked process is called in ps(1): its command line and its comm.

A child has its parent's arguments in memory; /proc/<pid>/cmdline shows whatever is there. In a container that would be
the host's paths, so the launcher's children overwrite them.
"""

import ctypes

from sampan.linux import constants as c
from sampan.linux import syscalls


def _arguments() -> "tuple[int, int]":
    with open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return int(fields[45]), int(fields[46])  # arg_start and arg_end, fields 48 and 49 (proc_pid_stat(5))


_start, _end = _arguments()  # the same in every forked child


def set_title(text: bytes) -> None:
    """Show `text` as the command line, cut to the room that the arguments had, and its first word as the comm."""
    shown = text[: max(0, _end - _start - 1)]
    ctypes.memmove(_start, shown.ljust(_end - _start, b"\0"), _end - _start)
    # Not by /proc/self/comm, which belongs to the host's root as long as a process is not dumpable (proc(5)).
    name = ctypes.create_string_buffer(text.split(b" ")[0][:15])
    syscalls.prctl(c.PR_SET_NAME, ctypes.addressof(name))
