"""The statistics of a cgroup in the shape of `runc events --stats` (runc, types/events.go): what both versions share.

A number that is zero is left out where runc leaves it out. `intel_rdt` and `network_interfaces` are not the cgroup's:
they stand empty.
Units       Bytes; CPU time in nanoseconds; "no limit" is 2^64-1, for processes 0.
"""

import errno
import os

from sampan.runtime.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NO_LIMIT = (1 << 64) - 1
CPUSET_FLAGS = (
    "cpu_exclusive mem_hardwall mem_exclusive memory_migrate memory_spread_page memory_spread_slab memory_pressure"
    " sched_load_balance sched_relax_domain_level".split()
)


def empty() -> "dict[str, Any]":
    """Statistics of which nothing is known."""
    return {
        "cpu": {},
        "cpuset": dict.fromkeys(CPUSET_FLAGS, 0),
        "memory": {},
        "pids": {},
        "blkio": {},
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": None,
    }


def number(folder: str, name: str, absent: int = 0) -> int:
    """A file of one number; "max" is NO_LIMIT."""
    text = text_of(folder, name)
    return NO_LIMIT if text == "max" else int(text) if text else absent


def text_of(folder: str, name: str) -> str:
    """A file's text, "" when the kernel does not have it or does not count what is in it."""
    try:
        return files.read_all(f"{folder}/{name}").rstrip("\n")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
            return ""
        raise


def table(folder: str, name: str) -> "dict[str, int]":
    """A file of "key number" lines."""
    return {key: int(value) for key, _, value in (line.partition(" ") for line in text_of(folder, name).splitlines())}


def without_zeros(values: "dict[str, Any]", *, keep: "tuple[str, ...]" = ()) -> "dict[str, Any]":
    """The pairs that say something, and those to keep."""
    return {key: value for key, value in values.items() if value or key in keep}


def memory_entry(*, limit: int, usage: int, peak: int, failures: int) -> "dict[str, int]":
    """Usage of one kind of memory; {} when all is zero, which leaves it out of what it is in."""
    if not (limit or usage or peak or failures):
        return {}
    return without_zeros({"limit": limit, "usage": usage, "max": peak, "failcnt": failures}, keep=("limit", "failcnt"))


def cpu_usage(values: "dict[str, Any]") -> "dict[str, Any]":
    """CPU time; {} when there was none."""
    return without_zeros(values, keep=("kernel", "user")) if any(values.values()) else {}


def pids(current: int, limit: int) -> "dict[str, int]":
    """Processes there are and may be."""
    return without_zeros({"current": current, "limit": 0 if limit == NO_LIMIT else limit})


def io_entry(device: str, operation: str, value: int) -> "dict[str, Any]":
    """One counter of one device ("8:0")."""
    major, _, minor = device.partition(":")
    return without_zeros({"major": int(major), "minor": int(minor), "op": operation, "value": value})


def pressure(folder: str, name: str) -> "dict[str, Any] | None":
    """A pressure stall file (Documentation/accounting/psi.rst); None when the kernel does not keep it."""
    found: dict[str, Any] = {}
    for line in text_of(folder, name).splitlines():
        kind, *pairs = line.split()
        values = dict(pair.split("=") for pair in pairs)
        averages = {key: float(values[key]) for key in ("avg10", "avg60", "avg300")}
        found[kind] = {**averages, "total": int(values["total"])}
    return {kind: values for kind, values in found.items() if any(values.values())} if found else None


def cpu_list(text: str) -> "list[int]":
    """The numbers in a list such as "0-2,5"."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, dash, last = part.partition("-")
        found += range(int(first), int(last if dash else first) + 1)
    return found


def huge_page_sizes() -> "list[str]":
    """The sizes there are as the controller's files name them ("2MB")."""
    try:
        names = os.listdir("/sys/kernel/mm/hugepages")
    except FileNotFoundError:
        return []
    return sorted(_size_name(int(name.removeprefix("hugepages-").removesuffix("kB"))) for name in names)


def _size_name(size_kib: int) -> str:
    for shift, unit in ((20, "GB"), (10, "MB")):
        if size_kib >= 1 << shift:
            return f"{size_kib >> shift}{unit}"
    return f"{size_kib}KB"
