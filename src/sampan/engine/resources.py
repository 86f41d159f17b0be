"""A container's limits as the OCI config has them.

Units   Memory in bytes (`swap` is memory and swap together, as in cgroup v1), CPU quota and period in microseconds.
Spec    runtime-spec 1.2, config-linux.md "Control groups"; moby daemon/daemon_unix.go (getMemoryResources and others).
"""

from collections.abc import Callable
from typing import Any

from sampan.api.wire.host import HostConfig, Ulimit
from sampan.engine.devices import DeviceNode, throttles

Json = dict[str, Any]

NANO_CPUS_PERIOD_US = 100_000
_NANO = 1_000_000_000


def resources(host: HostConfig, device_rules: list[Json], find: Callable[[str], list[DeviceNode]]) -> Json:
    """The cgroup settings; parts without a setting are left out."""
    found: Json = {"devices": device_rules, "memory": _memory(host), "blockIO": throttles(host, find)}
    cpu = _cpu(host)
    if cpu:
        found["cpu"] = cpu
    if host.pids_limit and host.pids_limit > 0:
        found["pids"] = {"limit": host.pids_limit}
    return found


def _memory(host: HostConfig) -> Json:
    found: Json = {}
    if host.memory > 0:
        found["limit"] = host.memory
    if host.memory_reservation > 0:
        found["reservation"] = host.memory_reservation
    # As much swap as memory when nothing is said; -1 is no limit.
    swap = host.memory_swap or 2 * host.memory
    if swap > 0:
        found["swap"] = swap
    if host.memory_swappiness is not None and host.memory_swappiness != -1:
        found["swappiness"] = host.memory_swappiness
    found["disableOOMKiller"] = bool(host.oom_kill_disable)
    return found


def _cpu(host: HostConfig) -> Json:
    quota, period = host.cpu_quota, host.cpu_period
    if host.nano_cpus > 0:
        period = NANO_CPUS_PERIOD_US
        quota = host.nano_cpus * NANO_CPUS_PERIOD_US // _NANO
    settings = {
        "shares": host.cpu_shares,
        "quota": quota,
        "period": period,
        "cpus": host.cpuset_cpus,
        "mems": host.cpuset_mems,
        "realtimePeriod": host.cpu_realtime_period,
        "realtimeRuntime": host.cpu_realtime_runtime,
    }
    return {key: setting for key, setting in settings.items() if setting}


def rlimits(ulimits: list[Ulimit]) -> list[Json]:
    """Resource limits of a process (setrlimit(2)); -1 is no limit and stays -1."""
    return [{"type": f"RLIMIT_{limit.name.upper()}", "hard": limit.hard, "soft": limit.soft} for limit in ulimits]
