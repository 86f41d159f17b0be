"""The limits of an OCI config as version 1's files.

`CONTROLLERS` has a function for each controller that turns `resources` into (file, value) pairs; pure but for a look at
which files there are. An empty list means that nothing is asked of the controller, so it need not be mounted.

Ignored     `memory.kernel`: the kernel has given it up, and runc with it. `memory.useHierarchy`: always on since 5.11;
            an attempt to switch it off is refused.
Spec        runtime-spec 1.2, config-linux.md "Control groups"
"""

import errno
import os

from sampan.runtime.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Values = list[tuple[str, object]]

NO_UNIFIED = "invalid configuration: cannot use unified on cgroup v1"


def apply(folders: "dict[str, str]", resources: "dict[str, Any]", *, live: bool = False) -> None:
    """Set what is asked. `live`: processes are inside, so device rules must not be taken back on the way."""
    if resources.get("unified"):
        raise files.CgroupError(NO_UNIFIED)
    for controller, values in CONTROLLERS.items():
        folder = folders.get(controller)
        pairs = values(folder or "", resources)
        if folder:
            _write(folder, pairs)
        elif pairs:
            raise files.CgroupError(f"the kernel has no {controller} controller mounted, which {pairs[0][0]} needs")
    _check_shares(folders, resources)
    if rules := resources.get("devices"):
        _devices(folders.get("devices"), rules, live=live)


def _write(folder: str, pairs: "Values") -> None:
    try:
        files.write_together(folder, pairs)
    except files.CgroupError as error:
        limit = dict(pairs).get("memory.limit_in_bytes")
        if error.errno != errno.EBUSY or limit is None:
            raise
        usage, peak = (files.read(folder, f"memory.{name}usage_in_bytes") for name in ("", "max_"))
        text = f"unable to set memory limit to {limit} (current usage: {usage}, peak usage: {peak})"
        raise files.CgroupError(errno.EBUSY, text) from error


def _memory(folder: str, resources: "dict[str, Any]") -> "Values":
    memory = resources.get("memory") or {}
    limit, swap = memory.get("limit"), memory.get("swap")
    pairs: Values = []
    if limit:
        pairs.append(("memory.limit_in_bytes", limit))
        if limit == -1 and not swap:
            swap = -1  # no limit on memory is none on both together
    if swap and (not folder or os.path.exists(f"{folder}/memory.memsw.limit_in_bytes")):
        pairs.append(("memory.memsw.limit_in_bytes", swap))
    if memory.get("reservation"):
        pairs.append(("memory.soft_limit_in_bytes", memory["reservation"]))
    if memory.get("kernelTCP") and os.path.exists(f"{folder}/memory.kmem.tcp.limit_in_bytes"):
        pairs.append(("memory.kmem.tcp.limit_in_bytes", memory["kernelTCP"]))
    if memory.get("swappiness") not in (None, -1):
        pairs.append(("memory.swappiness", memory["swappiness"]))
    if memory.get("disableOOMKiller"):
        pairs.append(("memory.oom_control", 1))
    if memory.get("useHierarchy") is False:
        pairs.append(("memory.use_hierarchy", 0))
    return pairs


def _cpu(folder: str, resources: "dict[str, Any]") -> "Values":
    cpu = resources.get("cpu") or {}
    pairs: Values = []
    for key, name in (
        ("shares", "cpu.shares"),
        ("period", "cpu.cfs_period_us"),
        ("quota", "cpu.cfs_quota_us"),
        ("realtimePeriod", "cpu.rt_period_us"),
        ("realtimeRuntime", "cpu.rt_runtime_us"),
    ):
        if cpu.get(key):
            pairs.append((name, cpu[key]))
    # Since 5.14 and 5.15; a burst is only a help, an idle container where it cannot be idle is an error.
    if cpu.get("burst") is not None and os.path.exists(f"{folder}/cpu.cfs_burst_us"):
        pairs.append(("cpu.cfs_burst_us", cpu["burst"]))
    if cpu.get("idle") is not None:
        pairs.append(("cpu.idle", cpu["idle"]))
    return pairs


def _check_shares(folders: "dict[str, str]", resources: "dict[str, Any]") -> None:
    # The kernel clips shares silently.
    asked = (resources.get("cpu") or {}).get("shares")
    if not asked:
        return
    taken = int(files.read(folders["cpu"], "cpu.shares"))
    if taken != asked:
        word = "maximum" if asked > taken else "minimum"
        raise files.CgroupError(errno.EINVAL, f"the {word} allowed cpu-shares is {taken}")


def _cpuset(folder: str, resources: "dict[str, Any]") -> "Values":
    cpu = resources.get("cpu") or {}
    return [(f"cpuset.{key}", cpu[key]) for key in ("cpus", "mems") if cpu.get(key)]


def _pids(folder: str, resources: "dict[str, Any]") -> "Values":
    limit = (resources.get("pids") or {}).get("limit")
    return [("pids.max", limit if limit > 0 else "max")] if limit else []


def _blkio(folder: str, resources: "dict[str, Any]") -> "Values":
    block = resources.get("blockIO") or {}
    pairs: Values = []
    prefix = "blkio" if os.path.exists(f"{folder}/blkio.weight") else "blkio.bfq"
    if block.get("weight"):
        pairs.append((f"{prefix}.weight", block["weight"]))
    if block.get("leafWeight"):
        pairs.append(("blkio.leaf_weight", block["leafWeight"]))
    for device in block.get("weightDevice") or []:
        number = f"{device['major']}:{device['minor']}"
        if device.get("weight"):
            pairs.append((f"{prefix}.weight_device", f"{number} {device['weight']}"))
        if device.get("leafWeight"):
            pairs.append(("blkio.leaf_weight_device", f"{number} {device['leafWeight']}"))
    for key, name in (
        ("throttleReadBpsDevice", "blkio.throttle.read_bps_device"),
        ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device"),
        ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device"),
        ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"),
    ):
        for device in block.get(key) or []:
            pairs.append((name, f"{device['major']}:{device['minor']} {device['rate']}"))
    return pairs


def _hugetlb(folder: str, resources: "dict[str, Any]") -> "Values":
    pairs: Values = []
    for limit in resources.get("hugepageLimits") or []:
        prefix = f"hugetlb.{limit['pageSize']}"
        pairs.append((f"{prefix}.limit_in_bytes", limit["limit"]))
        if os.path.exists(f"{folder}/{prefix}.rsvd.limit_in_bytes"):
            pairs.append((f"{prefix}.rsvd.limit_in_bytes", limit["limit"]))
    return pairs


def _rdma(folder: str, resources: "dict[str, Any]") -> "Values":
    return files.rdma_limits(resources)


def _net_cls(folder: str, resources: "dict[str, Any]") -> "Values":
    class_id = (resources.get("network") or {}).get("classID")
    return [("net_cls.classid", class_id)] if class_id else []


def _net_prio(folder: str, resources: "dict[str, Any]") -> "Values":
    priorities = (resources.get("network") or {}).get("priorities") or []
    return [("net_prio.ifpriomap", f"{one['name']} {one['priority']}") for one in priorities]


CONTROLLERS: "dict[str, Callable[[str, dict[str, Any]], Values]]" = {
    "memory": _memory,
    "cpu": _cpu,
    "cpuset": _cpuset,
    "pids": _pids,
    "blkio": _blkio,
    "hugetlb": _hugetlb,
    "rdma": _rdma,
    "net_cls": _net_cls,
    "net_prio": _net_prio,
}


def _devices(folder: "str | None", rules: "list[dict[str, Any]]", *, live: bool) -> None:
    if folder is None:
        if all(rule.get("allow") for rule in rules):
            return
        raise files.CgroupError("the kernel has no devices controller mounted, without which no device can be denied")
    try:
        if live or not _is_plain(rules):
            from sampan.runtime.cgroup import devices

            for name, text in devices.transition(files.read(folder, "devices.list") if live else "", rules):
                files.write(folder, name, text)
            return
        for rule in rules:
            files.write(folder, "devices.allow" if rule.get("allow") else "devices.deny", files.device_rule_text(rule))
    except files.CgroupError as error:
        # Only root may change them, and nobody else can make devices either.
        if error.errno not in (errno.EPERM, errno.EACCES) or not files.is_rootless():
            raise


def _is_plain(rules: "list[dict[str, Any]]") -> bool:
    """Whether the kernel, told the rules as they stand, allows what they mean.

    It starts from what the cgroup above allows, reads any rule of type "a" as one for everything, and a denial takes
    back the very same permission only.
    """
    if files.device_rule_text(rules[0])[0] != "a":
        return False
    has_allowed = False
    for rule in rules:
        if files.device_rule_text(rule)[0] == "a" and files.device_rule_text(rule) != "a *:* rwm":
            return False
        if has_allowed and not rule.get("allow"):
            return False
        has_allowed = has_allowed or bool(rule.get("allow"))
    return True
