"""What systemd is told of a container: the properties of its unit (systemd.resource-control(5)).

systemd writes its properties to the cgroup's files whenever it likes (a reload does), so it has to know every limit
that it has a property for. The files are written after it all the same, for what it has none for.

Units       Memory in bytes, NO_LIMIT for none; CPU time in microseconds a second, in whole percents.
Values      A property is (name, (D-Bus signature, value)).
"""

import errno

from sampan.runtime.cgroup import devices as device_rules
from sampan.runtime.cgroup import files, statistics, v2limits
from sampan.runtime.cgroup.systemd import variant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Property = tuple[str, tuple[str, Any]]

NO_LIMIT = (1 << 64) - 1
PREFIX = "org.systemd.property."
_PERCENT_US = 10000
_MIN_NAME = 3

# Version 2 files that have a property; the rest of `unified` is written to its file only.
_UNIFIED_BYTES = {
    "memory.high": "MemoryHigh",
    "memory.low": "MemoryLow",
    "memory.min": "MemoryMin",
    "memory.max": "MemoryMax",
    "memory.swap.max": "MemorySwapMax",
    "pids.max": "TasksMax",
    "cpu.weight": "CPUWeight",
}
_UNIFIED_SETS = {"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}


def of_unit(description: str, slice_name: str, pid: int, *, version: int) -> "list[Property]":
    """Those of every container's unit: where it is, who is in it, and that what is below it is not systemd's."""
    accounting = ("Memory", "CPU", "Tasks", "IO" if version == 2 else "BlockIO")
    found: list[Property] = [("Description", ("s", description)), ("Slice", ("s", slice_name))]
    found += [("Delegate", ("b", True)), ("PIDs", ("au", [pid]))]
    found += [(f"{name}Accounting", ("b", True)) for name in accounting]
    return [*found, ("DefaultDependencies", ("b", False))]


def of_annotations(annotations: "dict[str, str]") -> "list[Property]":
    """org.systemd.property.NAME: a property in GVariant's text form; "...Sec" in seconds is "...USec"."""
    found: list[Property] = []
    for key, text in annotations.items():
        if not key.startswith(PREFIX):
            continue
        name = key.removeprefix(PREFIX)
        if len(name) < _MIN_NAME or not (name.isascii() and name.isalpha()):
            raise files.CgroupError(errno.EINVAL, f"annotation {key} name incorrect: {name!r}")
        try:
            signature, value = variant.parse(text)
            if name.endswith("Sec") and name[-4].islower():
                name, signature, value = f"{name[:-3]}USec", "t", int(value * 1_000_000)
        except (ValueError, TypeError) as error:
            raise files.CgroupError(errno.EINVAL, f"annotation {key}={text} value parse error: {error}") from error
        found.append((name, (signature, value)))
    return found


def of_resources(resources: "dict[str, Any]", *, version: int, systemd: int) -> "list[Property]":
    """The limits that it has properties for, on control groups `version`. `systemd`: its own version."""
    cpu = resources.get("cpu") or {}
    found = _of_devices(resources.get("devices") or [])
    found += _of_memory(resources.get("memory") or {}, version)
    found += _of_shares(cpu, version, systemd)
    found += _of_quota(cpu.get("quota") or 0, cpu.get("period") or 0)
    if limit := (resources.get("pids") or {}).get("limit"):
        found.append(("TasksMax", ("t", limit if limit > 0 else NO_LIMIT)))
    if weight := (resources.get("blockIO") or {}).get("weight"):
        name, scaled = ("IOWeight", v2limits.io_weight(weight)) if version == 2 else ("BlockIOWeight", weight)
        found.append((name, ("t", scaled)))
    for key, name in (("cpus", "AllowedCPUs"), ("mems", "AllowedMemoryNodes")):
        if cpu.get(key):
            found.append((name, ("ay", bit_mask(cpu[key]))))
    if version == 2:
        found += _of_unified(dict(v2limits.unified(resources)), systemd)
    return found


def rounded(resources: "dict[str, Any]") -> "dict[str, Any]":
    """The limits with the quota that systemd makes of it: were the file's lower, a reload would change it."""
    cpu = resources.get("cpu") or {}
    quota, period = cpu.get("quota") or 0, cpu.get("period") or v2limits.DEFAULT_PERIOD_US
    if quota <= 0:
        return resources
    return {**resources, "cpu": {**cpu, "quota": _per_second(quota, period) * period // 1_000_000}}


def _per_second(quota: int, period: int) -> int:
    # Whole percents, rounded up: it keeps a percentage, and a cgroup below may want all of what was given.
    return -(-quota * 1_000_000 // period // _PERCENT_US) * _PERCENT_US


def _of_quota(quota: int, period: int) -> "list[Property]":
    found: list[Property] = []
    if period:
        found.append(("CPUQuotaPeriodUSec", ("t", period)))
    if quota or period:
        share = _per_second(quota, period or v2limits.DEFAULT_PERIOD_US) if quota > 0 else NO_LIMIT
        found.append(("CPUQuotaPerSecUSec", ("t", share)))
    return found


def _of_memory(memory: "dict[str, Any]", version: int) -> "list[Property]":
    limit = memory.get("limit") or 0
    found: list[Property] = []
    if limit:
        found.append(("MemoryMax" if version == 2 else "MemoryLimit", ("t", _unsigned(limit))))
    if version == 2:
        if memory.get("reservation"):
            found.append(("MemoryLow", ("t", _unsigned(memory["reservation"]))))
        if limit and (swap := v2limits.swap_limit(memory, limit)) is not None:
            found.append(("MemorySwapMax", ("t", _unsigned(swap))))
    return found


def _unsigned(number: int) -> int:
    return NO_LIMIT if number < 0 else number


def _of_shares(cpu: "dict[str, Any]", version: int, systemd: int) -> "list[Property]":
    shares = cpu.get("shares")
    if version == 1:
        return [("CPUShares", ("t", shares))] if shares else []
    if cpu.get("idle") == 1 and systemd >= 252:
        return [("CPUWeight", ("t", 0))]  # its word for idle
    return [("CPUWeight", ("t", v2limits.cpu_weight(shares)))] if shares else []


def _of_unified(unified: "dict[str, str]", systemd: int) -> "list[Property]":
    found: list[Property] = []
    for name, value in unified.items():
        text = value.strip()
        if name in _UNIFIED_BYTES:
            number = NO_LIMIT if text == "max" else _integer(name, text)
            found.append((_UNIFIED_BYTES[name], ("t", number)))
        elif name in _UNIFIED_SETS:
            found.append((_UNIFIED_SETS[name], ("ay", bit_mask(text))))
        elif name == "cpu.max":
            quota, _, period = text.partition(" ")
            found += _of_quota(-1 if quota == "max" else _integer(name, quota), _integer(name, period or "0"))
        elif name == "cpu.idle" and text == "1" and systemd >= 252:
            found.append(("CPUWeight", ("t", 0)))
    return found


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise files.CgroupError(errno.EINVAL, f"unified resource {name!r} value invalid: {text!r}") from error


def bit_mask(text: str) -> bytes:
    """A list of CPUs or nodes ("0-2,5") as bits, the lowest first."""
    try:
        numbers = statistics.cpu_list(text.replace(" ", ""))
    except ValueError as error:
        raise files.CgroupError(errno.EINVAL, f"invalid list of CPUs or memory nodes: {text!r}") from error
    if not numbers or min(numbers) < 0:
        raise files.CgroupError(errno.EINVAL, f"invalid list of CPUs or memory nodes: {text!r}")
    mask = 0
    for number in numbers:
        mask |= 1 << number
    return mask.to_bytes(max(numbers) // 8 + 1, "little")


def _of_devices(rules: "list[dict[str, Any]]") -> "list[Property]":
    """DevicePolicy= and DeviceAllow=, or no policy where it cannot say what is meant: our own filter then decides."""
    if not rules:
        return []
    allowed = _device_allow(rules)
    policy = "auto" if allowed is None else "strict"
    return [("DevicePolicy", ("s", policy)), ("DeviceAllow", ("a(ss)", [])), *_allow_property(allowed)]


def _allow_property(allowed: "list[tuple[str, str]] | None") -> "list[Property]":
    # The empty list before has taken away what an earlier one had added.
    return [("DeviceAllow", ("a(ss)", allowed))] if allowed else []


def _device_allow(rules: "list[dict[str, Any]]") -> "list[tuple[str, str]] | None":
    try:
        settled = device_rules.settle(rules)
    except files.CgroupError:
        return None
    if settled.allows_rest:
        return None
    found: list[tuple[str, str]] = []
    for (kind, major, minor), access in settled.exceptions.items():
        word = "block" if kind == "b" else "char"
        if major == device_rules.ANY:
            if minor != device_rules.ANY:
                return None
            path = f"{word}-*"
        elif minor == device_rules.ANY:
            path = f"{word}-{major}"
        else:
            path = f"/dev/{word}/{major}:{minor}"
        found.append((path, device_rules.letters(access)))
    return found
