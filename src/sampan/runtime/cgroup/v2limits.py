"""The limits of an OCI config as version 2's files.

The config speaks version 1; where version 2 has another scale or another meaning, values are converted.

Ignored     What version 2 has no word for and runc passes over: memory.kernel, kernelTCP, swappiness, disableOOMKiller,
            useHierarchy, leaf weights.
Refused     What would be missed: network classes and priorities, realtime budgets.
Units       Bytes, microseconds. cpu.weight 1 to 10000 for shares 2 to 262144; io.weight 1 to 10000 for 10 to 1000.
Spec        runtime-spec 1.2, config-linux.md "Control groups", "Unified"
"""

import errno

from sampan.runtime.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Values = list[tuple[str, object]]
    Read = Callable[[str], str | None]

DEFAULT_PERIOD_US = 100000
_IO_LIMITS = (
    ("throttleReadBpsDevice", "rbps"),
    ("throttleWriteBpsDevice", "wbps"),
    ("throttleReadIOPSDevice", "riops"),
    ("throttleWriteIOPSDevice", "wiops"),
)


def apply(folder: str, resources: "dict[str, Any]") -> None:
    """Set what is asked; CgroupError names a controller that is not there."""
    pairs = check(folder, resources)
    try:
        files.write_together(folder, pairs)
        for name, text in unified(resources):
            # A file such as io.max takes one line at a time.
            for line in text.splitlines():
                files.write(folder, name, line)
    except files.CgroupError as error:
        _explain(folder, error, [name for name, _ in (*pairs, *unified(resources))])
        raise


def check(folder: str, resources: "dict[str, Any]") -> "Values":
    """The values for the cgroup in `folder`; CgroupError for what cannot be, before anything is written."""

    def read(name: str) -> "str | None":
        try:
            return files.read(folder, name)
        except FileNotFoundError:
            return None

    unified(resources)
    return values(resources, read)


def _explain(folder: str, error: files.CgroupError, names: "list[str]") -> None:
    if error.errno not in (errno.ENOENT, errno.EACCES, errno.EPERM):
        return
    available = files.read(folder, "cgroup.controllers").split()
    for name in names:
        controller = name.split(".")[0]
        if controller not in (*available, "cgroup"):
            text = f"the requested cgroup controller `{controller}` is not available"
            raise files.CgroupError(error.errno, f"{text}, which {name} needs, in {folder}") from error


def values(resources: "dict[str, Any]", read: "Read") -> "Values":
    """The files to write and what, in order. `read` gives a file as it is, None without it."""
    if network := [key for key in ("classID", "priorities") if (resources.get("network") or {}).get(key)]:
        raise files.CgroupError(f"network limits are not supported on cgroup v2: {network[0]}")
    found = _memory(resources.get("memory") or {}, read)
    found += _cpu(resources.get("cpu") or {}, read)
    limit = (resources.get("pids") or {}).get("limit")
    if limit:
        found.append(("pids.max", limit if limit > 0 else "max"))
    found += _io(resources.get("blockIO") or {}, read)
    for huge in resources.get("hugepageLimits") or []:
        found.append((f"hugetlb.{huge['pageSize']}.max", huge["limit"]))
        if read(f"hugetlb.{huge['pageSize']}.rsvd.max") is not None:
            found.append((f"hugetlb.{huge['pageSize']}.rsvd.max", huge["limit"]))
    found += files.rdma_limits(resources)
    return found


def unified(resources: "dict[str, Any]") -> "list[tuple[str, str]]":
    """The files that the config names itself."""
    found = []
    for name, value in (resources.get("unified") or {}).items():
        if "/" in name:
            raise files.CgroupError(f"unified resource {name!r} must be a file name (no slashes)")
        if "." not in name.strip("."):
            raise files.CgroupError(f"the specified key has not the form CONTROLLER.VALUE `{name}`")
        found.append((name, str(value)))
    return found


def swap_limit(memory: "dict[str, Any]", limit: "int | None") -> "int | None":
    """The config's memory and swap together as a limit on swap alone: -1 for none, None to leave it as it is.

    `limit`: of memory, as it will be.
    """
    both = memory.get("swap")
    if both is None:
        return -1 if memory.get("limit") == -1 else None
    if both <= 0 or limit == -1:
        return int(both)
    if not limit:
        raise files.CgroupError("cannot set swap limit without the memory limit")
    if both < limit:
        raise files.CgroupError("memory+swap limit should be >= memory limit")
    return int(both - limit)


def _memory(memory: "dict[str, Any]", read: "Read") -> "Values":
    found: Values = []
    limit = memory.get("limit") or 0
    if memory.get("checkBeforeUpdate"):
        _check_usage(memory, read)
    if not limit and (memory.get("swap") or 0) > 0:
        limit = _number(read("memory.max"))
    swap = swap_limit(memory, limit)
    if swap is not None and read("memory.swap.max") is not None:  # it is not there when the kernel has no swap
        found.append(("memory.swap.max", _or_max(swap)))
    if memory.get("limit"):
        found.append(("memory.max", _or_max(limit)))
    if memory.get("reservation"):
        found.append(("memory.low", _or_max(memory["reservation"])))
    return found


def _check_usage(memory: "dict[str, Any]", read: "Read") -> None:
    # Version 2 would kill processes until the usage fits.
    usage = _number(read("memory.current"))
    for key, name in (("swap", "memory+swap"), ("limit", "memory")):
        if 0 < (memory.get(key) or 0) <= usage:
            raise files.CgroupError(errno.EBUSY, f"rejecting {name} limit {memory[key]} <= usage {usage}")


def _number(text: "str | None") -> int:
    return -1 if text == "max" else int(text or 0)


def _or_max(number: int) -> object:
    return "max" if number == -1 else number


def cpu_weight(shares: int) -> int:
    """Shares (2 to 262144) as a weight (1 to 10000), so that both defaults meet: 1024 is 100.

    The curve is the one that runc and crun agreed on: a parabola between the logarithms.
    """
    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    from math import ceil, log2

    log = log2(shares)
    return ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))


def _cpu(cpu: "dict[str, Any]", read: "Read") -> "Values":
    found: Values = []
    for key in ("realtimePeriod", "realtimeRuntime"):
        if cpu.get(key):
            raise files.CgroupError(f"realtime budgets are not supported on cgroup v2: {key}")
    if cpu.get("shares"):
        found.append(("cpu.weight", cpu_weight(cpu["shares"])))
    quota, period = cpu.get("quota"), cpu.get("period")
    if quota or period:
        # A quota alone leaves the period as it is; for a period alone the quota has to be said again.
        words = [str(quota) if quota > 0 else "max"] if quota else (read("cpu.max") or "max").split()[:1]
        found.append(("cpu.max", " ".join([*words, str(period)] if period else words)))
    if cpu.get("burst") is not None:
        found.append(("cpu.max.burst", cpu["burst"]))
    if cpu.get("idle") is not None:
        found.append(("cpu.idle", cpu["idle"]))
    for key in ("cpus", "mems"):
        if cpu.get(key):
            found.append((f"cpuset.{key}", cpu[key]))
    return found


def io_weight(weight: int) -> int:
    """A block I/O weight (10 to 1000) as io.weight's (1 to 10000), linearly."""
    return 1 + (weight - 10) * 9999 // 990


def _io(block: "dict[str, Any]", read: "Read") -> "Values":
    found: Values = []
    own = [one for one in block.get("weightDevice") or [] if one.get("weight")]
    if block.get("weight") or own:
        bfq = read("io.bfq.weight")
        name = "io.weight" if bfq is None else "io.bfq.weight"
        scale = io_weight if bfq is None else int
        if block.get("weight"):
            found.append((name, scale(block["weight"])))
        found += [(name, f"{one['major']}:{one['minor']} {scale(one['weight'])}") for one in own]
    for key, word in _IO_LIMITS:
        for device in block.get(key) or []:
            found.append(("io.max", f"{device['major']}:{device['minor']} {word}={device['rate']}"))
    return found
