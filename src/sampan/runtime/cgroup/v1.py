"""Control groups, version 1: a directory in each hierarchy (cgroups(7), Documentation/admin-guide/cgroup-v1).

Joining     A process joins by writing "0" to each hierarchy's `tasks` itself. The kernel then moves one thread, the
            caller, and need not stop all forks of the machine (cgroup_threadgroup_rwsem), whose grace period is what
            makes a write of a foreign pid to `cgroup.procs` take milliseconds.
"""

import os

from sampan.runtime.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Controllers that a container gets when they are mounted; name=systemd so that systemd does not take it for ours.
WANTED = (
    "memory cpu cpuacct cpuset pids devices freezer blkio hugetlb net_cls net_prio perf_event rdma name=systemd".split()
)


class CgroupV1:
    """One container's cgroup in all hierarchies; `path` is absolute within each, e.g. "/sampan/<id>"."""

    version = 1
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
                    files.write(child, name, files.read(os.path.dirname(child), name))

    def entry_fds(self) -> "list[int]":
        """Descriptors for `enter`, to be opened before the caller loses sight of the hierarchies."""
        folders = dict.fromkeys(self.folders.values())
        return [os.open(f"{folder}/tasks", os.O_WRONLY | os.O_CLOEXEC) for folder in folders]

    def clone_fd(self, beside: int = 0) -> int:
        """0: version 1 cannot be joined by clone3(2)."""
        return 0

    def apply(self, resources: "dict[str, Any]") -> None:
        """Set the limits of runtime-spec, config-linux.md, "Control groups"; what is absent stays as it is."""
        for name, apply in _APPLY.items():
            if name in self.folders:
                apply(self.folders[name], resources)
            elif name in _KEYS and resources.get(_KEYS[name]):
                raise files.CgroupError(f"the kernel has no {name} controller mounted, which {_KEYS[name]} needs")

    def oom_kills(self) -> int:
        """How many processes the kernel killed for want of memory."""
        return files.keyed(self.folders["memory"], "memory.oom_control", "oom_kill") if "memory" in self.folders else 0

    def pids(self) -> "set[int]":
        return files.pids(next(iter(self.folders.values()))) if self.folders else set()

    def freeze(self, *, frozen: bool) -> None:
        files.write(self.folders["freezer"], "freezer.state", "FROZEN" if frozen else "THAWED")

    def remove(self) -> None:
        """Remove every directory; OSError EBUSY while a process is inside."""
        for folder in self.folders.values():
            files.remove(folder)


def _memory(folder: str, resources: "dict[str, Any]") -> None:
    memory = resources.get("memory") or {}
    limit, swap = memory.get("limit"), memory.get("swap")
    if limit:
        _memory_limits(folder, limit, swap)
    elif swap:
        files.write(folder, "memory.memsw.limit_in_bytes", swap)
    if memory.get("reservation"):
        files.write(folder, "memory.soft_limit_in_bytes", memory["reservation"])
    if memory.get("swappiness") is not None:
        files.write(folder, "memory.swappiness", memory["swappiness"])
    if memory.get("disableOOMKiller"):
        files.write(folder, "memory.oom_control", 1)


def _memory_limits(folder: str, limit: int, swap: "int | None") -> None:
    # The kernel holds limit <= memsw at every moment, so the larger of the two moves first when both grow.
    swap_file = "memory.memsw.limit_in_bytes"
    if not swap or not os.path.exists(f"{folder}/{swap_file}"):
        files.write(folder, "memory.limit_in_bytes", limit)
        return
    grows = swap == -1 or int(files.read(folder, swap_file)) < limit
    order = [(swap_file, swap), ("memory.limit_in_bytes", limit)]
    for name, value in order if grows else reversed(order):
        files.write(folder, name, value)


def _cpu(folder: str, resources: "dict[str, Any]") -> None:
    cpu = resources.get("cpu") or {}
    for key, name in (
        ("shares", "cpu.shares"),
        ("period", "cpu.cfs_period_us"),
        ("quota", "cpu.cfs_quota_us"),
        ("burst", "cpu.cfs_burst_us"),
        ("realtimePeriod", "cpu.rt_period_us"),
        ("realtimeRuntime", "cpu.rt_runtime_us"),
    ):
        if cpu.get(key):
            files.write(folder, name, cpu[key])
    if cpu.get("idle") is not None:
        files.write(folder, "cpu.idle", cpu["idle"])


def _cpuset(folder: str, resources: "dict[str, Any]") -> None:
    cpu = resources.get("cpu") or {}
    for key in ("cpus", "mems"):
        if cpu.get(key):
            files.write(folder, f"cpuset.{key}", cpu[key])


def _pids(folder: str, resources: "dict[str, Any]") -> None:
    limit = (resources.get("pids") or {}).get("limit")
    if limit is not None and limit != 0:
        files.write(folder, "pids.max", limit if limit > 0 else "max")


def _devices(folder: str, resources: "dict[str, Any]") -> None:
    for rule in resources.get("devices") or []:
        files.write(folder, "devices.allow" if rule.get("allow") else "devices.deny", files.device_rule_text(rule))


def _blkio(folder: str, resources: "dict[str, Any]") -> None:
    block = resources.get("blockIO") or {}
    if block.get("weight"):
        name = "blkio.weight" if os.path.exists(f"{folder}/blkio.weight") else "blkio.bfq.weight"
        files.write(folder, name, block["weight"])
    for device in block.get("weightDevice") or []:
        files.write(folder, "blkio.weight_device", f"{device['major']}:{device['minor']} {device['weight']}")
    for key, name in (
        ("throttleReadBpsDevice", "blkio.throttle.read_bps_device"),
        ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device"),
        ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device"),
        ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"),
    ):
        for device in block.get(key) or []:
            files.write(folder, name, f"{device['major']}:{device['minor']} {device['rate']}")


def _hugetlb(folder: str, resources: "dict[str, Any]") -> None:
    for limit in resources.get("hugepageLimits") or []:
        files.write(folder, f"hugetlb.{limit['pageSize']}.limit_in_bytes", limit["limit"])


_APPLY = {
    "memory": _memory,
    "cpu": _cpu,
    "cpuset": _cpuset,
    "pids": _pids,
    "devices": _devices,
    "blkio": _blkio,
    "hugetlb": _hugetlb,
}
# A limit that was asked for and has no controller is an error, not a silence. (Device rules come with every container.)
_KEYS = {"memory": "memory", "pids": "pids", "blkio": "blockIO", "hugetlb": "hugepageLimits", "cpu": "cpu"}
