"""System calls that Python does not have, by number, for the attacks: `call("bpf", ...)` raises OSError."""

import ctypes
import errno
import os

# name: (x86-64, every architecture with the generic table: aarch64, riscv64)
NUMBERS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "renameat2": (316, 276),
    "request_key": (249, 218),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET = 0x02000000, 0x08000000, 0x40000000
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS = 0x00020000, 0x20000000, 0x10000000, 0x04000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 0x1, 0x20, 0x1000, 0x2000, 0x4000, 0x40000
MNT_DETACH = 2
RENAME_EXCHANGE = 2

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


def number(name):
    """The call's number here, or None where the architecture lacks it."""
    return NUMBERS[name][0 if os.uname().machine == "x86_64" else 1]


def call(name, *arguments):
    """Make the call; its result, or OSError. Text goes as bytes, integers as longs."""
    found = number(name)
    if found is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name)
    return raw(found, *arguments, name=name)


def raw(found, *arguments, name=""):
    """Make a call by its number."""
    ctypes.set_errno(0)
    result = _syscall(ctypes.c_long(found), *map(_argument, arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return result


def _argument(value):
    if isinstance(value, int):
        return ctypes.c_long(value)
    return value.encode() if isinstance(value, str) else value


def mount(source, target, kind, flags=0, options=""):
    """mount(2)."""
    call("mount", source, target, kind, flags, options)


def exchange(one, other):
    """Swap two names in one step: renameat2(2), RENAME_EXCHANGE."""
    call("renameat2", AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE)


def mounts():
    """(mount point, options, file system type, root within it) of each mount, from /proc/self/mountinfo."""
    found = []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            fields = before.split()
            found.append((fields[4].replace("\\040", " "), fields[5], after.split()[0], fields[3]))
    return found


def read_some(path, size=256):
    """The beginning of a file; OSError when there is none."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)
