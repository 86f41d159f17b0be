"""Control groups, version 2: one directory (Documentation/admin-guide/cgroup-v2).

Joining     The first process is cloned into the directory (clone3(2), CLONE_INTO_CGROUP), the others write "0".
Devices     Version 2 has no devices controller: a BPF program on the cgroup decides (`linux.devicefilter`).
"""

import os

from sampan.linux import devicefilter
from sampan.runtime.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class CgroupV2:
    """One container's cgroup; `path` is absolute within the hierarchy, e.g. "/sampan/<id>"."""

    version = 2
    __slots__ = ("folder", "folders", "mountpoint", "path")

    def __init__(self, path: str, mountpoint: str) -> None:
        self.path = path
        self.mountpoint = mountpoint
        self.folder = mountpoint + path
        self.folders = {"": self.folder}

    def create(self) -> bool:
        """Make the directory, with every available controller enabled from the root down to it; True when it is new."""
        parent = os.path.dirname(self.folder)
        files.make(parent)
        self._enable(parent)
        return files.make(self.folder)

    def _enable(self, parent: str) -> None:
        # All have to be there, not any: another launch may be half-way through the same.
        available = files.read(self.mountpoint, "cgroup.controllers").split()
        if not _missing(parent, available):
            return
        steps = [self.mountpoint]
        for name in filter(None, parent[len(self.mountpoint) :].split("/")):
            steps.append(f"{steps[-1]}/{name}")
        for folder in steps:
            for controller in _missing(folder, available):
                try:
                    files.write(folder, "cgroup.subtree_control", f"+{controller}")
                except files.CgroupError:
                    # Some cannot be given on (cpu with realtime processes about): a limit that needs it will say so.
                    continue

    def entry_fds(self) -> "list[int]":
        """Descriptors for `enter`."""
        return [os.open(f"{self.folder}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)]

    def clone_fd(self, beside: int = 0) -> int:
        """A descriptor for clone3(2) of the directory, or of where in it the process `beside` is.

        That matters when the container has divided its cgroup (systemd does): then no process can be in the directory
        itself, and EBUSY would be the answer.
        """
        folder = self.folder
        if beside and files.read(folder, "cgroup.subtree_control"):
            folder = self.mountpoint + files.read_all(f"/proc/{beside}/cgroup").rpartition("0::")[2].rstrip("\n")
        return os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def apply(self, resources: "dict[str, Any]") -> None:
        """Set the limits of runtime-spec, config-linux.md, "Control groups", in version 2's terms."""
        for name, value in values(resources):
            files.write(self.folder, name, value)
        if resources.get("devices"):
            devicefilter.attach(self.folder, resources["devices"])

    def oom_kills(self) -> int:
        """How many processes the kernel killed for want of memory."""
        return files.keyed(self.folder, "memory.events", "oom_kill")

    def pids(self) -> "set[int]":
        return files.pids(self.folder)

    def freeze(self, *, frozen: bool) -> None:
        files.write(self.folder, "cgroup.freeze", int(frozen))

    def remove(self) -> None:
        """Remove the directory; OSError EBUSY while a process is inside."""
        files.remove(self.folder)


def _missing(folder: str, controllers: "list[str]") -> "list[str]":
    """Those that the cgroup does not give to its children."""
    given = files.read(folder, "cgroup.subtree_control").split()
    return [name for name in controllers if name not in given]


def values(resources: "dict[str, Any]") -> "list[tuple[str, object]]":
    """The files to write and what, in order; pure."""
    found: list[tuple[str, object]] = []
    found += _memory(resources.get("memory") or {})
    found += _cpu(resources.get("cpu") or {})
    limit = (resources.get("pids") or {}).get("limit")
    if limit is not None and limit != 0:
        found.append(("pids.max", limit if limit > 0 else "max"))
    found += _io(resources.get("blockIO") or {})
    for huge in resources.get("hugepageLimits") or []:
        found.append((f"hugetlb.{huge['pageSize']}.max", huge["limit"]))
    found += (resources.get("unified") or {}).items()
    return found


def _memory(memory: "dict[str, Any]") -> "list[tuple[str, object]]":
    found: list[tuple[str, object]] = []
    limit, swap = memory.get("limit"), memory.get("swap")
    if swap:
        # The OCI value is memory and swap together, version 2 limits swap alone.
        found.append(("memory.swap.max", "max" if swap == -1 else max(0, swap - (limit or 0))))
    if limit:
        found.append(("memory.max", "max" if limit == -1 else limit))
    if memory.get("reservation"):
        found.append(("memory.low", memory["reservation"]))
    return found


def cpu_weight(shares: int) -> int:
    """Shares (2 to 262144, default 1024) as a weight (1 to 10000, default 100), linearly as other runtimes do."""
    return 1 + (min(max(shares, 2), 262144) - 2) * 9999 // 262142


def _cpu(cpu: "dict[str, Any]") -> "list[tuple[str, object]]":
    found: list[tuple[str, object]] = []
    if cpu.get("shares"):
        found.append(("cpu.weight", cpu_weight(cpu["shares"])))
    if cpu.get("quota") or cpu.get("period"):
        quota = cpu.get("quota") or -1
        found.append(("cpu.max", f"{quota if quota > 0 else 'max'} {cpu.get('period') or 100000}"))
    if cpu.get("burst"):
        found.append(("cpu.max.burst", cpu["burst"]))
    if cpu.get("idle") is not None:
        found.append(("cpu.idle", cpu["idle"]))
    for key in ("cpus", "mems"):
        if cpu.get(key):
            found.append((f"cpuset.{key}", cpu[key]))
    return found


def _io(block: "dict[str, Any]") -> "list[tuple[str, object]]":
    found: list[tuple[str, object]] = []
    if block.get("weight"):
        found.append(("io.weight", 1 + (block["weight"] - 10) * 9999 // 990))
    for key, word in (
        ("throttleReadBpsDevice", "rbps"),
        ("throttleWriteBpsDevice", "wbps"),
        ("throttleReadIOPSDevice", "riops"),
        ("throttleWriteIOPSDevice", "wiops"),
    ):
        for device in block.get(key) or []:
            found.append(("io.max", f"{device['major']}:{device['minor']} {word}={device['rate']}"))
    return found
