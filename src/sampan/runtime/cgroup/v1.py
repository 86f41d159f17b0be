"""Control groups, version 1: a directory in each hierarchy (cgroups(7), Documentation/admin-guide/cgroup-v1).

Joining     A process joins by writing "0" to each hierarchy's `tasks` itself. The kernel then moves one thread, the
            caller, and need not stop all forks of the machine (cgroup_threadgroup_rwsem), whose grace period is what
            makes a write of a foreign pid to `cgroup.procs` take milliseconds.
Realtime    A new cpu cgroup has no realtime budget, and no process with a realtime policy can join it: limits are set
            before.
"""

import errno
import os
import time

from sampan.runtime.cgroup import files, v1limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.cgroup.contract import Entrance

# Controllers that a container gets when they are mounted; name=systemd so that systemd does not take it for ours.
WANTED = (
    "memory cpu cpuacct cpuset pids devices freezer blkio hugetlb net_cls net_prio perf_event rdma misc"
    " name=systemd".split()
)


class CgroupV1:
    """One container's cgroup in all hierarchies; `path` is absolute within each, e.g. "/sampan/<id>"."""

    version = 1
    unit = ""
    must_adopt = False
    __slots__ = ("folders", "path")

    def __init__(self, path: str, hierarchies: "dict[str, str]") -> None:
        self.path = path
        self.folders = {name: hierarchies[name] + path for name in WANTED if name in hierarchies}

    def create(self) -> None:
        """Make the directories. A hierarchy with several controllers has one directory under several names."""
        for name, folder in self.folders.items():
            if name == "cpuset":
                self._create_cpuset(folder)
            else:
                files.make(folder)

    def _create_cpuset(self, folder: str) -> None:
        # A new cpuset has no CPUs and takes no process until it has some: they come from its parent.
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for child in reversed(missing):
            files.make(child)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not files.read(child, name):
                    files.write(child, name, _inherited(os.path.dirname(child), name))

    def delegate(self, uid: int, gid: int) -> None:
        """Nothing: who may write here may set the limits."""

    def adopt(self, pid: int) -> None:
        """Move a process in, with all its threads."""
        for folder in dict.fromkeys(self.folders.values()):
            files.write(folder, "cgroup.procs", pid)

    def entry_fds(self, beside: int = 0) -> "list[int]":
        """Descriptors for `enter`, to be opened before the caller loses sight of the hierarchies."""
        folders = dict.fromkeys(self.folders.values())
        return [os.open(f"{folder}/tasks", os.O_WRONLY | os.O_CLOEXEC) for folder in folders]

    def clone_fd(self, beside: int = 0) -> int:
        """0: version 1 cannot be joined by clone3(2)."""
        return 0

    def below(self, where: "dict[str, str]") -> "Entrance":
        """Cgroups inside this one to enter."""
        from sampan.runtime.cgroup import inside

        return inside.of_v1(self.folders, where)

    def apply(self, resources: "dict[str, Any]") -> None:
        """Set the limits of runtime-spec, config-linux.md, "Control groups"; what is absent stays as it is."""
        v1limits.apply(self.folders, resources)

    def update(self, resources: "dict[str, Any]") -> None:
        """The same on a running container, which keeps its devices while they change."""
        v1limits.apply(self.folders, resources, live=True)

    def oom_kills(self) -> int:
        """How many processes the kernel killed for want of memory."""
        return files.keyed(self.folders["memory"], "memory.oom_control", "oom_kill") if "memory" in self.folders else 0

    def pids(self) -> "set[int]":
        """The processes in it; the freezer's, for that is who can be frozen and must be thawed to die."""
        return files.pids(self._freezer()) if self.folders else set()

    def _freezer(self) -> str:
        return self.folders.get("freezer") or next(iter(self.folders.values()))

    def freeze(self, *, frozen: bool) -> None:
        """Stop all processes, or let them go on."""
        from sampan.runtime.cgroup import freezing

        if "freezer" not in self.folders:
            raise files.CgroupError("cannot pause or resume: the freezer controller is not mounted")
        freezing.set_v1(self.folders["freezer"], frozen=frozen)

    def is_frozen(self) -> bool:
        """Whether it is frozen by itself, not by a cgroup above."""
        try:
            return "freezer" in self.folders and files.read(self.folders["freezer"], "freezer.self_freezing") == "1"
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
        from sampan.runtime.cgroup import v1statistics

        return v1statistics.collect(self.folders)

    def remove(self, *, patience_s: float = 0.0) -> None:
        """Remove every directory; OSError EBUSY while a process is inside."""
        deadline_s = time.monotonic() + patience_s
        busy: OSError | None = None
        for folder in dict.fromkeys(self.folders.values()):
            try:
                files.remove(folder, deadline_s)
            except OSError as error:
                busy = busy or error
        if busy:
            raise busy


def _inherited(folder: str, name: str) -> str:
    """A cpuset's value; whoever made one without values leaves that to us."""
    value = files.read(folder, name)
    if not value:
        value = _inherited(os.path.dirname(folder), name)
        files.write(folder, name, value)
    return value
