"""Being told that a container ran out of memory, as one descriptor to poll.

    watch = oom.watch(cgroup)
    poll watch.fd for reading, then: for each of watch.take(): an event; watch.is_over: no more will come

Version 1   An eventfd registered for `memory.oom_control` (memory.rst, "OOM Control"). The kernel signals it, too, when
            the cgroup is removed.
Version 2   inotify(7) on `memory.events` and `cgroup.events`; over when no process is left.
"""

import errno
import os

from sampan.linux.inotify import IN_MODIFY, Inotify
from sampan.runtime.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from sampan.runtime.cgroup.contract import Cgroup

    class Watch(Protocol):
        """Out-of-memory events of one cgroup."""

        fd: int
        is_over: bool

        def take(self) -> int:
            """How many there were since the last time; does not wait."""

        def close(self) -> None:
            """Let go of the descriptors."""


def watch(cgroup: "Cgroup") -> "Watch":
    """Begin to watch. CgroupError: memory is not controlled."""
    if cgroup.version == 2:
        return WatchV2(cgroup.folders[""])
    if "memory" not in cgroup.folders:
        raise files.CgroupError(errno.ENOENT, "cannot watch for out-of-memory events: no memory controller")
    return WatchV1(cgroup.folders["memory"])


class WatchV1:
    """The kernel's own notification."""

    __slots__ = ("_folder", "fd", "is_over")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.is_over = False
        control = os.open(f"{folder}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            try:
                files.write(folder, "cgroup.event_control", f"{self.fd} {control}")
            except OSError:
                os.close(self.fd)
                raise
        finally:
            os.close(control)

    def take(self) -> int:
        """How many there were since the last time."""
        try:
            count = os.eventfd_read(self.fd)
        except BlockingIOError:
            count = 0
        if not os.path.exists(f"{self._folder}/cgroup.event_control"):
            self.is_over = True
            return 0
        return count

    def close(self) -> None:
        """Let go of the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class WatchV2:
    """The count of kills, looked at whenever the file changes."""

    __slots__ = ("_folder", "_inotify", "_seen", "fd", "is_over")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._inotify = Inotify()
        try:
            for name in ("memory.events", "cgroup.events"):
                self._inotify.add_watch(f"{folder}/{name}", IN_MODIFY)
        except OSError as error:
            self._inotify.close()
            text = f"cannot watch for out-of-memory events in {folder}: {error.strerror}"
            raise files.CgroupError(error.errno, text) from error
        self.fd = self._inotify.fd
        self._seen = files.keyed(folder, "memory.events", "oom_kill")
        self.is_over = False

    def take(self) -> int:
        """How many there were since the last time."""
        self._inotify.read()
        try:
            now = files.keyed(self._folder, "memory.events", "oom_kill")
            self.is_over = not files.keyed(self._folder, "cgroup.events", "populated")
        except OSError as error:
            if error.errno != errno.ENODEV:  # removed between open and read
                raise
            now, self.is_over = self._seen, True
        count, self._seen = max(0, now - self._seen), max(now, self._seen)
        return count

    def close(self) -> None:
        """Let go of the descriptor."""
        self._inotify.close()
        self.fd = -1
