"""When, where and as what a process runs: CPU and I/O scheduling, NUMA memory, personality.

As in `linux.syscalls`, the functions have the names of their man pages, retry EINTR, raise OSError and choose nothing;
`pid` 0 is the calling thread. Masks are bytes: bit n of byte m stands for node 8 m + n, and their length is a multiple
of 8.

Units       Runtime, deadline and period in nanoseconds.
"""

import ctypes
import struct

from sampan.linux.syscalls import call

# linux/sched.h
SCHED_OTHER = 0
SCHED_FIFO = 1
SCHED_RR = 2
SCHED_BATCH = 3
SCHED_ISO = 4
SCHED_IDLE = 5
SCHED_DEADLINE = 6
SCHED_FLAG_RESET_ON_FORK = 0x01
SCHED_FLAG_RECLAIM = 0x02
SCHED_FLAG_DL_OVERRUN = 0x04
SCHED_FLAG_KEEP_POLICY = 0x08
SCHED_FLAG_KEEP_PARAMS = 0x10
SCHED_FLAG_UTIL_CLAMP_MIN = 0x20
SCHED_FLAG_UTIL_CLAMP_MAX = 0x40

# linux/ioprio.h
IOPRIO_CLASS_RT = 1
IOPRIO_CLASS_BE = 2
IOPRIO_CLASS_IDLE = 3
IOPRIO_WHO_PROCESS = 1
_IOPRIO_CLASS_SHIFT = 13

# linux/mempolicy.h
MPOL_DEFAULT = 0
MPOL_PREFERRED = 1
MPOL_BIND = 2
MPOL_INTERLEAVE = 3
MPOL_LOCAL = 4
MPOL_PREFERRED_MANY = 5
MPOL_WEIGHTED_INTERLEAVE = 6
MPOL_F_NUMA_BALANCING = 1 << 13
MPOL_F_RELATIVE_NODES = 1 << 14
MPOL_F_STATIC_NODES = 1 << 15
_MAX_NODES = 1024  # MAX_NUMNODES of the largest configurations; get_mempolicy(2) refuses shorter masks

# linux/personality.h
PER_LINUX = 0x0000
PER_LINUX32 = 0x0008
_QUERY = 0xFFFFFFFF

# struct sched_attr, version 1 (Linux 5.3): size, policy, flags, nice, priority, runtime, deadline, period, util_min,
# util_max. An older kernel takes the longer one as long as what it does not know is zero.
_SCHED_ATTR = struct.Struct("=IIQiIQQQII")


class SchedulerAttributes:
    """struct sched_attr (sched_setattr(2))."""

    __slots__ = ("deadline_ns", "flags", "nice", "period_ns", "policy", "priority", "runtime_ns")

    def __init__(
        self,
        policy: int,
        *,
        flags: int = 0,
        nice: int = 0,
        priority: int = 0,
        runtime_ns: int = 0,
        deadline_ns: int = 0,
        period_ns: int = 0,
    ) -> None:
        self.policy = policy
        self.flags = flags
        self.nice = nice
        self.priority = priority
        self.runtime_ns = runtime_ns
        self.deadline_ns = deadline_ns
        self.period_ns = period_ns

    def pack(self) -> bytes:
        """As the kernel takes it; struct.error where a number does not fit its field."""
        times = self.runtime_ns, self.deadline_ns, self.period_ns
        return _SCHED_ATTR.pack(_SCHED_ATTR.size, self.policy, self.flags, self.nice, self.priority, *times, 0, 0)


def sched_setattr(pid: int, attributes: SchedulerAttributes) -> None:
    """sched_setattr(2)."""
    call("sched_setattr", pid, attributes.pack(), 0)


def sched_getattr(pid: int) -> SchedulerAttributes:
    """sched_getattr(2)."""
    buffer = ctypes.create_string_buffer(_SCHED_ATTR.size)
    call("sched_getattr", pid, buffer, _SCHED_ATTR.size, 0)
    _, policy, flags, nice, priority, runtime, deadline, period, _, _ = _SCHED_ATTR.unpack(buffer.raw)
    return SchedulerAttributes(
        policy, flags=flags, nice=nice, priority=priority, runtime_ns=runtime, deadline_ns=deadline, period_ns=period
    )


def ioprio_set(which: int, who: int, *, priority_class: int, level: int) -> None:
    """ioprio_set(2)."""
    call("ioprio_set", which, who, priority_class << _IOPRIO_CLASS_SHIFT | level)


def ioprio_get(which: int, who: int) -> "tuple[int, int]":
    """ioprio_get(2): class and level."""
    found = call("ioprio_get", which, who)
    return found >> _IOPRIO_CLASS_SHIFT, found & (1 << _IOPRIO_CLASS_SHIFT) - 1


def personality(persona: int = _QUERY) -> int:
    """personality(2): the one so far; without an argument nothing changes."""
    return call("personality", ctypes.c_ulong(persona))


def set_mempolicy(mode: int, mask: bytes = b"") -> None:
    """set_mempolicy(2): mode and its flags; the nodes as a mask, none if it is empty."""
    # The kernel looks at one bit less than it is told (set_mempolicy(2), "BUGS").
    bits = len(mask) * 8 + 1 if mask else 0
    call("set_mempolicy", mode, mask or None, ctypes.c_ulong(bits))


def get_mempolicy() -> "tuple[int, bytes]":
    """get_mempolicy(2): mode with its flags, and the mask of the nodes."""
    mode = ctypes.c_int()
    mask = ctypes.create_string_buffer(_MAX_NODES // 8)
    call("get_mempolicy", ctypes.byref(mode), mask, ctypes.c_ulong(_MAX_NODES), None, ctypes.c_ulong(0))
    return mode.value, mask.raw
