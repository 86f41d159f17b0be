"""System calls that Python does not have: one thin function each.

Every function retries EINTR, raises OSError(errno, text, filename) and chooses nothing: fallbacks belong to callers.
Paths are str; descriptors are int. The docstring names the man page and, where it is younger than 5.10 or needs a
privilege, says so.

Calling through `PyDLL` keeps the interpreter lock held. That is right for this module's users: the launcher, shims and
container processes have one thread, and for them dropping and taking the lock is pure cost.
"""

import ctypes
import errno
import os

from sampan.linux import constants as c

_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

_mount = _libc.mount
_mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_umount2 = _libc.umount2
_umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_prctl = _libc.prctl
_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)

_long = ctypes.c_long


class CloneArgs(ctypes.Structure):
    """struct clone_args (linux/sched.h), version 2 (with cgroup)."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup".split()
        )
    ]


class OpenHow(ctypes.Structure):
    """struct open_how (linux/openat2.h)."""

    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


class MountAttr(ctypes.Structure):
    """struct mount_attr (linux/mount.h)."""

    _fields_ = [
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    ]


class CapHeader(ctypes.Structure):
    """struct __user_cap_header_struct (linux/capability.h)."""

    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class CapData(ctypes.Structure):
    """Two of struct __user_cap_data_struct: effective, permitted, inheritable of the low and the high 32 bits."""

    _fields_ = [("words", ctypes.c_uint32 * 6)]


def _fail(path: "str | None" = None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)


def _call(name: str, *args: object, path: "str | None" = None) -> int:
    while True:
        result: int = _syscall(c.SYSCALLS[name], *args)
        if result >= 0:
            return result
        if ctypes.get_errno() != errno.EINTR:
            raise _fail(path)


call = _call  # for the modules of this package that wrap a family of calls of their own


def mount(source: str, target: str, fstype: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    result = _mount(
        os.fsencode(source), os.fsencode(target), fstype.encode() or None, flags, os.fsencode(options) or None
    )
    if result < 0:
        raise _fail(target)


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    if _umount2(os.fsencode(target), flags) < 0:
        raise _fail(target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    _call("pivot_root", os.fsencode(new_root), os.fsencode(put_old), path=new_root)


def open_tree(dir_fd: int, path: str, flags: int) -> int:
    """open_tree(2): a descriptor of the mount at `path`; with OPEN_TREE_CLONE of a detached copy."""
    return _call("open_tree", dir_fd, os.fsencode(path), flags, path=path)


def move_mount(from_fd: int, to_fd: int) -> None:
    """move_mount(2) of what `from_fd` (of open_tree or fsmount) stands for onto what `to_fd` stands for."""
    flags = c.MOVE_MOUNT_F_EMPTY_PATH | c.MOVE_MOUNT_T_EMPTY_PATH
    _call("move_mount", from_fd, b"", to_fd, b"", flags)


def mount_setattr(
    fd: int, flags: int, *, attr_set: int = 0, attr_clr: int = 0, propagation: int = 0, userns_fd: int = 0
) -> None:
    """mount_setattr(2), Linux 5.12, on an open mount; AT_RECURSIVE in `flags` reaches the mounts below.

    `userns_fd` belongs to MOUNT_ATTR_IDMAP.
    """
    attr = MountAttr(attr_set, attr_clr, propagation, userns_fd)
    _call("mount_setattr", fd, b"", flags | c.AT_EMPTY_PATH, ctypes.byref(attr), _long(ctypes.sizeof(attr)))


def openat2(dir_fd: int, path: str, flags: int, *, resolve: int, mode: int = 0) -> int:
    """openat2(2); O_CLOEXEC is always added."""
    how = OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    while True:
        try:
            return _call("openat2", dir_fd, os.fsencode(path), ctypes.byref(how), _long(ctypes.sizeof(how)), path=path)
        except OSError as error:
            # A rename or mount elsewhere raced with a scoped look-up: "try again", says openat2(2).
            if error.errno != errno.EAGAIN:
                raise


def clone3(flags: int, *, exit_signal: int, cgroup_fd: int = 0) -> "tuple[int, int]":
    """clone3(2) as a fork: (0, -1) in the child; (pid, pidfd) in the parent.

    The child goes on in this interpreter without Python's after-fork work, which is right for a process with one
    thread that soon calls execve or _exit, and only for that.
    """
    pidfd = ctypes.c_int(-1)
    args = CloneArgs(flags | c.CLONE_PIDFD, ctypes.addressof(pidfd), 0, 0, exit_signal, 0, 0, 0, 0, 0, cgroup_fd)
    if cgroup_fd:
        args.flags |= c.CLONE_INTO_CGROUP
    pid = _call("clone3", ctypes.byref(args), _long(ctypes.sizeof(args)))
    return pid, pidfd.value


def unshare(flags: int) -> None:
    """unshare(2)."""
    _call("unshare", flags)


def setns(fd: int, flags: int) -> None:
    """setns(2); with a pidfd (Linux 5.8) several namespaces at once."""
    _call("setns", fd, flags)


def pidfd_send_signal(pidfd: int, signal: int) -> None:
    """pidfd_send_signal(2)."""
    _call("pidfd_send_signal", pidfd, signal, None, 0)


def close_range(first: int, last: int, flags: int = 0) -> None:
    """close_range(2)."""
    _call("close_range", ctypes.c_uint(first), ctypes.c_uint(last), flags)


def setdomainname(name: str) -> None:
    """setdomainname(2)."""
    text = os.fsencode(name)
    _call("setdomainname", text, _long(len(text)))


def sched_setaffinity(pid: int, mask: bytes) -> None:
    """sched_setaffinity(2); unlike Python's, with a ready mask, which may name CPUs that there are not."""
    _call("sched_setaffinity", pid, _long(len(mask)), mask)


def prctl(option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
    """prctl(2)."""
    result: int = _prctl(option, arg2, arg3, arg4, arg5)
    if result < 0:
        raise _fail()
    return result


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) of the calling thread; each argument is a bit mask of capability numbers."""
    header = CapHeader(c._LINUX_CAPABILITY_VERSION_3, 0)
    low = 0xFFFFFFFF
    words = [effective & low, permitted & low, inheritable & low, effective >> 32, permitted >> 32, inheritable >> 32]
    _call("capset", ctypes.byref(header), ctypes.byref(CapData((ctypes.c_uint32 * 6)(*words))))


def default_action(signal: int) -> None:
    """rt_sigaction(2): SIG_DFL for any signal, the C library's own (32 and 33, which it refuses to touch) included."""
    # struct kernel_sigaction, all zero: SIG_DFL, no flags, no restorer, an empty mask.
    _call("rt_sigaction", signal, ctypes.create_string_buffer(32), None, _long(8))


def join_session_keyring(name: str) -> None:
    """keyctl(2), KEYCTL_JOIN_SESSION_KEYRING: a session keyring of one's own."""
    _call("keyctl", c.KEYCTL_JOIN_SESSION_KEYRING, name.encode())


def seccomp_set_filter(program: bytes, flags: int = 0) -> int:
    """seccomp(2), SECCOMP_SET_MODE_FILTER: `program` is an array of struct sock_filter (8 bytes each).

    With SECCOMP_FILTER_FLAG_NEW_LISTENER the result is the listener's descriptor, else 0.
    """
    if len(program) % 8:
        raise ValueError("a BPF program is a whole number of 8-byte instructions")

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    held = Program(len(program) // 8, program)
    return _call("seccomp", c.SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(held))
