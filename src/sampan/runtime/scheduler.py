"""`process.scheduler`: CPU scheduling of a process, and why the kernel refuses some of it.

Errors      StageError, in runc's words; for a deadline that the kernel refuses in crun's, which tell why.
Realtime    Where the kernel divides realtime among cpu cgroups (version 1, CONFIG_RT_GROUP_SCHED) a new cgroup has none
            and SCHED_FIFO and SCHED_RR are not to be had in it: `with_budget` asks for a little when the config does
            not say how much.
Units       Runtime, deadline and period in nanoseconds; a cgroup's budget in microseconds.
Spec        runtime-spec 1.1, config.md "Linux Process", scheduler; sched(7), sched_setattr(2).
"""

import errno
import os
import struct

from sampan.linux import scheduling as s
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

POLICIES = {
    "SCHED_OTHER": s.SCHED_OTHER,
    "SCHED_FIFO": s.SCHED_FIFO,
    "SCHED_RR": s.SCHED_RR,
    "SCHED_BATCH": s.SCHED_BATCH,
    "SCHED_ISO": s.SCHED_ISO,
    "SCHED_IDLE": s.SCHED_IDLE,
    "SCHED_DEADLINE": s.SCHED_DEADLINE,
}
SCHEDULER_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": s.SCHED_FLAG_RESET_ON_FORK,
    "SCHED_FLAG_RECLAIM": s.SCHED_FLAG_RECLAIM,
    "SCHED_FLAG_DL_OVERRUN": s.SCHED_FLAG_DL_OVERRUN,
    "SCHED_FLAG_KEEP_POLICY": s.SCHED_FLAG_KEEP_POLICY,
    "SCHED_FLAG_KEEP_PARAMS": s.SCHED_FLAG_KEEP_PARAMS,
    "SCHED_FLAG_UTIL_CLAMP_MIN": s.SCHED_FLAG_UTIL_CLAMP_MIN,
    "SCHED_FLAG_UTIL_CLAMP_MAX": s.SCHED_FLAG_UTIL_CLAMP_MAX,
}

_DEADLINE_MIN_NS, _DEADLINE_MAX_NS = 1024, 1 << 63  # sched(7)
_BUDGET_US = 20_000  # of a second: many such containers fit into the 95 % that the machine gives away (sched(7))


def set_scheduler(scheduler: "Json", *, has_cpuset: bool = False) -> None:
    """`process.scheduler`."""
    attributes = scheduler_attributes(scheduler)
    try:
        s.sched_setattr(0, attributes)
    except OSError as error:
        if error.errno == errno.EPERM and has_cpuset:
            raise StageError("process scheduler can't be used together with AllowedCPUs") from error
        if error.errno == errno.EINVAL and attributes.policy == s.SCHED_DEADLINE:
            why = _why_no_deadline(scheduler, attributes)
            raise StageError(f"sched_setattr: {why}: {_reason(error)}") from error
        raise StageError(f"error setting scheduler: {_reason(error)}") from error
    except struct.error as error:
        raise StageError(f"error setting scheduler: {error}") from error


def with_budget(process: "Json", resources: "Json", cpu_folder: str) -> "Json":
    """The resources, with a realtime budget if the process cannot do without; `cpu_folder` is its cgroup's, or ""."""
    policy = (process.get("scheduler") or {}).get("policy")
    cpu = resources.get("cpu") or {}
    if policy not in ("SCHED_FIFO", "SCHED_RR") or cpu.get("realtimeRuntime") or not cpu_folder:
        return resources
    parent = os.path.dirname(cpu_folder)
    if _number(f"{parent}/cpu.rt_runtime_us") <= 0 or _number(f"{cpu_folder}/cpu.rt_runtime_us") > 0:
        return resources
    return resources | {"cpu": cpu | {"realtimeRuntime": _BUDGET_US}}


def _number(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return 0


def scheduler_attributes(scheduler: "Json") -> s.SchedulerAttributes:
    """The kernel's numbers for `process.scheduler`."""
    policy = scheduler.get("policy") or ""
    if policy not in POLICIES:
        raise StageError(f"invalid scheduler policy: {policy}" if policy else "scheduler policy is required")
    flags = 0
    for name in scheduler.get("flags") or ():
        if name not in SCHEDULER_FLAGS:
            raise StageError(f"invalid scheduler flag: {name}")
        flags |= SCHEDULER_FLAGS[name]
    return s.SchedulerAttributes(
        POLICIES[policy],
        flags=flags,
        nice=scheduler.get("nice") or 0,
        priority=scheduler.get("priority") or 0,
        runtime_ns=scheduler.get("runtime") or 0,
        deadline_ns=scheduler.get("deadline") or 0,
        period_ns=scheduler.get("period") or 0,
    )


def check(scheduler: "Json") -> None:
    """Refuse what cannot be meant (runc's rules)."""
    found, policy = scheduler_attributes(scheduler), scheduler["policy"]
    if found.policy in (s.SCHED_OTHER, s.SCHED_BATCH) and not -20 <= found.nice <= 19:
        raise StageError(f"invalid scheduler.nice: {found.nice} when scheduler.policy is {policy}")
    if found.priority and found.policy not in (s.SCHED_FIFO, s.SCHED_RR):
        raise StageError("scheduler.priority can only be specified for SchedFIFO or SchedRR policy")
    if found.policy != s.SCHED_DEADLINE and (found.runtime_ns or found.deadline_ns or found.period_ns):
        raise StageError("scheduler runtime/deadline/period can only be specified for SchedDeadline policy")


def _why_no_deadline(scheduler: "Json", found: s.SchedulerAttributes) -> str:
    """Which rule of sched(7) the parameters break, in crun's words."""
    kind = "`SCHED_DEADLINE`"
    times = {"runtime": found.runtime_ns, "deadline": found.deadline_ns, "period": found.period_ns}
    for name in ("runtime", "deadline"):
        if scheduler.get(name) is None:
            return f"{kind} requires `{name}`"
    for name in ("runtime", "deadline"):
        if not times[name]:
            return f"{kind} {name} must be greater than 0"
    if found.runtime_ns > found.deadline_ns:
        return f"{kind} runtime ({found.runtime_ns}) must be <= deadline ({found.deadline_ns})"
    if found.period_ns and found.deadline_ns > found.period_ns:
        return f"{kind} deadline ({found.deadline_ns}) must be <= period ({found.period_ns})"
    for name, value in times.items():
        # A period of 0 is the deadline.
        if (value or name != "period") and not _DEADLINE_MIN_NS <= value <= _DEADLINE_MAX_NS:
            return f"{kind} {name} ({value}) must be between {_DEADLINE_MIN_NS} and {_DEADLINE_MAX_NS}"
    listed = ", ".join(f"{name}={value}" for name, value in times.items())
    return f"invalid {kind} parameters ({listed})"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
