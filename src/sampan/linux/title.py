"""What a forked process is called in ps(1): its command line and its comm.

A child has its parent's arguments in memory; /proc/<pid>/cmdline shows whatever is there. In a container that would be
the host's paths, so the launcher's children overwrite them.
"""

import ctypes


def set_title(text: str) -> None:
    """Show `text` as the command line, cut to the room that the arguments had, and its first word as the comm."""
    with open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, fields 48 and 49 (proc_pid_stat(5))
    shown = text.encode()[: max(0, end - start - 1)]
    ctypes.memmove(start, shown.ljust(end - start, b"\0"), end - start)
    with open("/proc/self/comm", "wb") as comm:
        comm.write(text.split(" ")[0].encode()[:15])
