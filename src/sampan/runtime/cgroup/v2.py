"""Control groups, version 2: one directory (Documentation/admin-guide/cgroup-v2).

Joining     The first process is cloned into the directory (clone3(2), CLONE_INTO_CGROUP), the others write "0".
Devices     Version 2 has no devices controller: a BPF program on the cgroup decides (`linux.devicefilter`).
Threaded    Below a cgroup with processes in it only threaded controllers work. Such a cgroup is made threaded, so that
            a container without limits runs; a limit that it cannot have is an error.
"""

import errno
import os
import time

from sampan.linux import devicefilter
from sampan.runtime.cgroup import files, v2limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.cgroup.contract import Entrance

# What cgroups(7), "Cgroup delegation", says for a kernel that does not list them (before 4.15).
_DELEGATED = "cgroup.procs cgroup.subtree_control cgroup.threads"


class CgroupV2:
    """One container's cgroup; `path` is absolute within the hierarchy, e.g. "/sampan/<id>"."""

    version = 2
    unit = ""
    must_adopt = False
    __slots__ = ("_is_new", "folder", "folders", "mountpoint", "path")

    def __init__(self, path: str, mountpoint: str) -> None:
        self.path = path
        self.mountpoint = mountpoint
        self.folder = mountpoint + path
        self.folders = {"": self.folder}
        self._is_new = False

    def create(self) -> bool:
        """Make the directory, with every available controller enabled from the root down to it; True when it is new."""
        parent = os.path.dirname(self.folder)
        files.make(parent)
        is_whole = self._enable(parent)
        self._is_new = files.make(self.folder)
        if not is_whole and files.read(self.folder, "cgroup.type") == "domain invalid":
            files.write(self.folder, "cgroup.type", "threaded")
        return self._is_new

    def _enable(self, parent: str) -> bool:
        # All have to be there, not any: another launch may be half-way through the same.
        available = files.read(self.mountpoint, "cgroup.controllers").split()
        if not _missing(parent, available):
            return True
        steps = [self.mountpoint]
        for name in filter(None, parent[len(self.mountpoint) :].split("/")):
            steps.append(f"{steps[-1]}/{name}")
        is_whole = True
        for folder in steps:
            for controller in _missing(folder, available):
                try:
                    files.write(folder, "cgroup.subtree_control", f"+{controller}")
                except files.CgroupError:
                    # Some cannot be given on (cpu with realtime processes about): a limit that needs it will say so.
                    is_whole = False
        return is_whole

    def delegate(self, uid: int, gid: int) -> None:
        """Give the directory, and in it what the kernel lists for that, to the container's root user."""
        os.chown(self.folder, uid, gid)
        try:
            names = files.read_all("/sys/kernel/cgroup/delegate").split()
        except FileNotFoundError:
            names = _DELEGATED.split()
        for name in names:
            try:
                os.chown(f"{self.folder}/{name}", uid, gid)
            except FileNotFoundError:
                continue  # of a controller that is not enabled

    def adopt(self, pid: int) -> None:
        """Move a process in, with all its threads."""
        files.write(self.folder, "cgroup.procs", pid)

    def entry_fds(self, beside: int = 0) -> "list[int]":
        """One descriptor for `enter`."""
        return [os.open(f"{self._place(beside)}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)]

    def clone_fd(self, beside: int = 0) -> int:
        """A descriptor for clone3(2) of the directory, or of where in it the process `beside` is.

        That matters when the container has divided its cgroup (systemd does): then no process can be in the directory
        itself, and EBUSY would be the answer.
        """
        return os.open(self._place(beside), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def _place(self, beside: int) -> str:
        if beside and files.read(self.folder, "cgroup.subtree_control"):
            where = files.read_all(f"/proc/{beside}/cgroup").rpartition("0::")[2].rstrip("\n")
            if where == self.path or where.startswith(f"{self.path}/"):
                return self.mountpoint + where
        return self.folder

    def below(self, where: "dict[str, str]") -> "Entrance":
        """A cgroup inside this one to enter."""
        from sampan.runtime.cgroup import inside

        return inside.of_v2(self.folder, where)

    def apply(self, resources: "dict[str, Any]") -> None:
        """Set the limits of runtime-spec, config-linux.md, "Control groups", in version 2's terms."""
        v2limits.apply(self.folder, resources)
        if resources.get("devices"):
            self._filter_devices(resources["devices"], replace=not self._is_new)

    def update(self, resources: "dict[str, Any]") -> None:
        """The same on a running container; the device filter is replaced in one step."""
        v2limits.apply(self.folder, resources)
        if resources.get("devices"):
            self._filter_devices(resources["devices"], replace=True)

    def _filter_devices(self, rules: "list[dict[str, Any]]", *, replace: bool) -> None:
        try:
            devicefilter.attach(self.folder, rules, replace=replace)
        except PermissionError:
            # bpf(2) is root's, and nobody else can make devices either.
            if not files.is_rootless():
                raise
        except ValueError as error:
            raise files.CgroupError(errno.EINVAL, str(error)) from error

    def oom_kills(self) -> int:
        """How many processes the kernel killed for want of memory."""
        return files.keyed(self.folder, "memory.events", "oom_kill")

    def pids(self) -> "set[int]":
        """The processes in it and below it."""
        return files.pids(self.folder)

    def freeze(self, *, frozen: bool) -> None:
        """Stop all processes, or let them go on."""
        from sampan.runtime.cgroup import freezing

        freezing.set_v2(self.folder, frozen=frozen)

    def is_frozen(self) -> bool:
        """Whether it is frozen by itself, not by a cgroup above."""
        try:
            return files.read(self.folder, "cgroup.freeze") == "1"
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV):
                return False
            raise

    def kill(self, signal: int = 9, *, patience_s: float = 5.0) -> bool:
        """Signal every process; with SIGKILL until none is left."""
        from sampan.runtime.cgroup import killing

        return killing.signal_all(self, signal, patience_s=patience_s)

    def statistics(self) -> "dict[str, Any]":
        """What `runc events --stats` prints."""
        from sampan.runtime.cgroup import v2statistics

        return v2statistics.collect(self.folder)

    def remove(self, *, patience_s: float = 0.0) -> None:
        """Remove the directory; OSError EBUSY while a process is inside."""
        files.remove(self.folder, time.monotonic() + patience_s)


def _missing(folder: str, controllers: "list[str]") -> "list[str]":
    """Those that the cgroup does not give to its children."""
    given = files.read(folder, "cgroup.subtree_control").split()
    return [name for name in controllers if name not in given]
