"""Statistics from version 1's files, in the shape of `statistics`."""

from sampan.runtime.cgroup import statistics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TICK_NS = 10_000_000  # cpuacct.stat counts in USER_HZ, which is 100

# The first of these that has a file is read: BFQ's with and without CONFIG_BFQ_CGROUP_DEBUG, CFQ's, throttling's.
_IO_FAMILIES = (
    ("blkio.bfq.", "_recursive"),
    ("blkio.", "_recursive"),
    ("blkio.throttle.", "_recursive"),
    ("blkio.throttle.", ""),
)
_IO_COUNTERS = {
    "io_serviced": "ioServicedRecursive",
    "io_service_bytes": "ioServiceBytesRecursive",
    "io_queued": "ioQueueRecursive",
    "io_service_time": "ioServiceTimeRecursive",
    "io_wait_time": "ioWaitTimeRecursive",
    "io_merged": "ioMergedRecursive",
    "time": "ioTimeRecursive",
    "sectors": "sectorsRecursive",
}


def collect(folders: "dict[str, str]") -> "dict[str, Any]":
    """Whatever the mounted controllers count."""
    found = statistics.empty()
    for controller, read in (
        ("cpu", _throttling),
        ("cpuacct", _cpu),
        ("cpuset", _cpuset),
        ("memory", _memory),
        ("pids", _pids),
        ("blkio", _io),
        ("hugetlb", _hugetlb),
    ):
        if controller in folders:
            read(folders[controller], found)
    return found


def _throttling(folder: str, found: "dict[str, Any]") -> None:
    stat = statistics.table(folder, "cpu.stat")
    names = {"periods": "nr_periods", "throttledPeriods": "nr_throttled", "throttledTime": "throttled_time"}
    if throttling := statistics.without_zeros({key: stat.get(name, 0) for key, name in names.items()}):
        found["cpu"]["throttling"] = throttling


def _cpu(folder: str, found: "dict[str, Any]") -> None:
    stat = statistics.table(folder, "cpuacct.stat")
    # "cpu user system", then a line for each
    lines = [line.split() for line in statistics.text_of(folder, "cpuacct.usage_all").splitlines()[1:]]
    usage = statistics.cpu_usage(
        {
            "total": statistics.number(folder, "cpuacct.usage"),
            "percpu": [int(word) for word in statistics.text_of(folder, "cpuacct.usage_percpu").split()],
            "percpu_kernel": [int(line[2]) for line in lines],
            "percpu_user": [int(line[1]) for line in lines],
            "kernel": stat.get("system", 0) * _TICK_NS,
            "user": stat.get("user", 0) * _TICK_NS,
        }
    )
    if usage:
        found["cpu"]["usage"] = usage


def _cpuset(folder: str, found: "dict[str, Any]") -> None:
    for key in ("cpus", "mems"):
        if numbers := statistics.cpu_list(statistics.text_of(folder, f"cpuset.{key}")):
            found["cpuset"][key] = numbers
    for flag in statistics.CPUSET_FLAGS:
        found["cpuset"][flag] = statistics.number(folder, f"cpuset.{flag}")


def _memory(folder: str, found: "dict[str, Any]") -> None:
    raw = statistics.table(folder, "memory.stat")
    memory = {"cache": raw.get("cache", 0)}
    for key, prefix in (("usage", ""), ("swap", "memsw."), ("kernel", "kmem."), ("kernelTCP", "kmem.tcp.")):
        memory[key] = statistics.memory_entry(  # type: ignore[assignment]
            limit=statistics.number(folder, f"memory.{prefix}limit_in_bytes"),
            usage=statistics.number(folder, f"memory.{prefix}usage_in_bytes"),
            peak=statistics.number(folder, f"memory.{prefix}max_usage_in_bytes"),
            failures=statistics.number(folder, f"memory.{prefix}failcnt"),
        )
    found["memory"] = statistics.without_zeros({**memory, "raw": raw})


def _pids(folder: str, found: "dict[str, Any]") -> None:
    current = statistics.number(folder, "pids.current")
    found["pids"] = statistics.pids(current, statistics.number(folder, "pids.max"))


def _io(folder: str, found: "dict[str, Any]") -> None:
    for prefix, suffix in _IO_FAMILIES:
        entries = {
            key: _io_entries(statistics.text_of(folder, f"{prefix}{counter}{suffix}"))
            for counter, key in _IO_COUNTERS.items()
        }
        if any(entries.values()):
            found["blkio"] = statistics.without_zeros(entries)
            return


def _io_entries(text: str) -> "list[dict[str, Any]]":
    """Of lines such as "8:0 Read 1282048" or "8:0 6792"; the total has no device."""
    found = []
    for line in text.splitlines():
        device, *operation, value = line.split()
        if ":" in device:
            found.append(statistics.io_entry(device, "".join(operation), int(value)))
    return found


def _hugetlb(folder: str, found: "dict[str, Any]") -> None:
    for size in statistics.huge_page_sizes():
        prefix = f"hugetlb.{size}"
        if statistics.text_of(folder, f"{prefix}.rsvd.usage_in_bytes"):
            prefix += ".rsvd"
        entry = {
            "usage": statistics.number(folder, f"{prefix}.usage_in_bytes"),
            "max": statistics.number(folder, f"{prefix}.max_usage_in_bytes"),
            "failcnt": statistics.number(folder, f"{prefix}.failcnt"),
        }
        found["hugetlb"][size] = statistics.without_zeros(entry, keep=("failcnt",))
