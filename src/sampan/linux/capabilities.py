"""Capability names and numbers (linux/capability.h), and setting a process's five sets.

A set is a bit mask. What the bounding set does not hold cannot be given (capabilities(7)).
"""

from sampan.linux import constants as c
from sampan.linux import syscalls

NAMES = (
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP"
    " CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER"
    " CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE"
    " CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL"
    " CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON"
    " CAP_BPF CAP_CHECKPOINT_RESTORE"
).split()
NUMBERS = {name: number for number, name in enumerate(NAMES)}


def mask(names: "list[str]") -> int:
    """The bits of capability names. What no kernel has cannot be given: a name that is not known adds nothing."""
    found = 0
    for name in names:
        number = NUMBERS.get(name)
        if number is not None:
            found |= 1 << number
    return found


def status_mask(field: str) -> int:
    """A set of the calling process as /proc/self/status has it: "CapBnd", "CapPrm", "CapEff", "CapInh" or "CapAmb"."""
    with open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(field.encode()):
                return int(line.split()[1], 16)
    raise KeyError(field)


_known_bounding: "list[int]" = []


def remember_bounding() -> None:
    """Ask once for all: what is forked from here has the same, until it is in another user namespace."""
    _known_bounding[:] = [bounding()]


def forget_bounding() -> None:
    """In a new user namespace the set is another one (user_namespaces(7), "Capabilities")."""
    _known_bounding.clear()


def bounding() -> int:
    """The bounding set, asked of the kernel itself: for where /proc may be anything."""
    if _known_bounding:
        return _known_bounding[0]
    found = 0
    for number in range(64):
        try:
            found |= syscalls.prctl(c.PR_CAPBSET_READ, number) << number
        except OSError:
            break  # EINVAL: the kernel has no more of them
    return found


def drop_bounding(keep: int, current: int) -> None:
    """Drop from the bounding set (`current`) all but `keep`. Needs CAP_SETPCAP."""
    for number in range(64):
        bit = 1 << number
        if current & bit and not keep & bit:
            syscalls.prctl(c.PR_CAPBSET_DROP, number)


def raise_ambient(ambient: int) -> None:
    """Make the ambient set `ambient`; each must be permitted and inheritable already."""
    syscalls.prctl(c.PR_CAP_AMBIENT, c.PR_CAP_AMBIENT_CLEAR_ALL)
    for number in range(64):
        if ambient >> number & 1:
            syscalls.prctl(c.PR_CAP_AMBIENT, c.PR_CAP_AMBIENT_RAISE, number)
