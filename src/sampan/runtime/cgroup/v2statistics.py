"""Statistics from version 2's files, in the shape of `statistics`, which is version 1's: names are translated.

`cpuset` stays at zero, as with runc: version 2 has none of these flags.
"""

from sampan.runtime.cgroup import files, statistics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_US = 1000
_IO = {
    "rbytes": ("ioServiceBytesRecursive", "Read"),
    "wbytes": ("ioServiceBytesRecursive", "Write"),
    "rios": ("ioServicedRecursive", "Read"),
    "wios": ("ioServicedRecursive", "Write"),
}


def collect(folder: str) -> "dict[str, Any]":
    """Whatever the enabled controllers count."""
    found = statistics.empty()
    found["cpu"] = _cpu(folder)
    found["memory"] = _memory(folder)
    found["pids"] = _pids(folder)
    found["blkio"] = _io(folder)
    found["hugetlb"] = _hugetlb(folder)
    for key, name in (("cpu", "cpu"), ("memory", "memory"), ("blkio", "io")):
        if (pressure := statistics.pressure(folder, f"{name}.pressure")) is not None:
            found[key]["psi"] = pressure
    return found


def _cpu(folder: str) -> "dict[str, Any]":
    stat = statistics.table(folder, "cpu.stat")
    usage = {"total": "usage_usec", "kernel": "system_usec", "user": "user_usec"}
    throttling = {
        "periods": stat.get("nr_periods", 0),
        "throttledPeriods": stat.get("nr_throttled", 0),
        "throttledTime": stat.get("throttled_usec", 0) * _US,
    }
    return statistics.without_zeros(
        {
            "usage": statistics.cpu_usage({key: stat.get(name, 0) * _US for key, name in usage.items()}),
            "throttling": statistics.without_zeros(throttling),
        }
    )


def _memory(folder: str) -> "dict[str, Any]":
    raw = statistics.table(folder, "memory.stat")
    usage, limit = statistics.number(folder, "memory.current"), statistics.number(folder, "memory.max")
    swap, swap_limit = statistics.number(folder, "memory.swap.current"), statistics.number(folder, "memory.swap.max")
    # Version 1's entry counts memory and swap together; there is no peak of the two together.
    both_limit = swap_limit if swap_limit == statistics.NO_LIMIT else min(swap_limit + limit, statistics.NO_LIMIT)
    peak = statistics.number(folder, "memory.peak")
    return statistics.without_zeros(
        {
            "cache": raw.get("file", 0),
            "usage": statistics.memory_entry(limit=limit, usage=usage, peak=peak, failures=0),
            "swap": statistics.memory_entry(limit=both_limit, usage=usage + swap, peak=0, failures=0),
            "raw": raw,
        }
    )


def _pids(folder: str) -> "dict[str, int]":
    if current := statistics.text_of(folder, "pids.current"):
        return statistics.pids(int(current), statistics.number(folder, "pids.max"))
    return statistics.pids(len(files.pids(folder)), 0)


def _io(folder: str) -> "dict[str, Any]":
    found: dict[str, list[dict[str, Any]]] = {}
    for line in statistics.text_of(folder, "io.stat").splitlines():
        device, *pairs = line.split()
        for name, _, value in (pair.partition("=") for pair in pairs):
            if name in _IO:
                key, operation = _IO[name]
                found.setdefault(key, []).append(statistics.io_entry(device, operation, int(value)))
    return dict(found)


def _hugetlb(folder: str) -> "dict[str, dict[str, int]]":
    found = {}
    for size in statistics.huge_page_sizes():
        prefix = f"hugetlb.{size}"
        usage = statistics.text_of(folder, f"{prefix}.rsvd.current") or statistics.text_of(folder, f"{prefix}.current")
        if usage:
            entry = {"usage": int(usage), "failcnt": files.keyed(folder, f"{prefix}.events", "max")}
            found[size] = statistics.without_zeros(entry, keep=("failcnt",))
    return found
