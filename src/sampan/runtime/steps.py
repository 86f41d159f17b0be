"""The single actions that make a container's file system; `runtime.rootfs` puts them in order.

Phases      `Step.share` in the host's mount namespace, for what has to stay tied to it; `Step.prepare` in the
            container's own, with the host's view and privileges; `Step.execute` with the container's namespaces and
            the new root, perhaps in another process (`runtime.rebirth`), which has inherited the steps' descriptors.
Security    Targets are names that an image chose. They are opened inside the root with magic links refused
            (`linux.rootpath`), and mounts go onto the opened descriptor, never onto a path. Nothing may be mounted
            below /proc, or on it but a procfs (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561): what is written and
            read there decides about the container's security.
Errors      OSError; where there is no number that fits, EINVAL or EPERM with a text of its own.
"""

import errno
import os
import stat

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import Mount, Options, parse_options
from sampan.linux.rootpath import create_directory, open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# What lxcfs provides, and what runc lets through.
IN_PROC = frozenset(
    f"/proc/{name}"
    for name in (
        "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo sys/kernel/ns_last_pid sys/crypto/fips_enabled"
    ).split()
)
_INITIAL_USER_NAMESPACE = 0xEFFFFFFD  # PROC_USER_INIT_INO (linux/proc_ns.h)


class Root:
    """The new root while it is being set up: its descriptor, and how to join the cgroup when its mount needs it."""

    __slots__ = ("enter_cgroup", "fd")

    def __init__(self, enter_cgroup: "Callable[[], None]") -> None:
        self.fd = -1
        self.enter_cgroup = enter_cgroup

    def replace(self, tree_fd: int) -> None:
        """Something was mounted on the root itself: go on in that."""
        fd = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=tree_fd)
        os.close(self.fd)
        self.fd = fd


class Step:
    """One action; `describe` is for error messages and tests."""

    __slots__ = ()

    def describe(self) -> str:
        raise NotImplementedError

    def share(self) -> None:
        """Before the host's mount namespace is left; nothing for most steps."""

    def prepare(self) -> None:
        """Before the host's view is given up; nothing for most steps."""

    def execute(self, root: Root) -> None:
        raise NotImplementedError


def check_place(target: str, *, is_procfs: bool) -> None:
    """EPERM for a clean, absolute `target` where nothing, or only a procfs, may be mounted."""
    if not target.startswith("/proc"):
        return
    if target == "/proc" and not is_procfs:
        raise OSError(errno.EPERM, "cannot be mounted because it is not of type proc", target)
    if target.startswith("/proc/") and target not in IN_PROC:
        raise OSError(errno.EPERM, "cannot be mounted because it is inside /proc", target)


def open_place(root_fd: int, target: str, flags: int = os.O_PATH) -> int:
    """The existing `target` of a mount. A link in it must not lead to where `check_place` would have refused it."""
    try:
        return open_in_root(root_fd, target, flags, follow=False)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    fd = open_in_root(root_fd, target, flags)
    if _is_in_proc(root_fd, os.fstat(fd).st_dev):
        os.close(fd)
        raise OSError(errno.EPERM, "cannot be mounted because it is inside /proc", target)
    return fd


def _is_in_proc(root_fd: int, device: int) -> bool:
    try:
        proc_fd = open_in_root(root_fd, "/proc", os.O_PATH, follow=False)
    except OSError:
        return False
    mounted = os.fstat(proc_fd).st_dev
    os.close(proc_fd)
    return device == mounted and device != os.fstat(root_fd).st_dev


def set_propagation(fd: int, kinds: "list[int]") -> None:
    """Set how the mount that `fd` stands for is tied to others: MS_SHARED and so on, with MS_REC, one after another."""
    for kind in kinds:
        depth = c.AT_RECURSIVE if kind & c.MS_REC else 0
        try:
            syscalls.mount_setattr(fd, depth, propagation=kind & ~c.MS_REC)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            # Before Linux 5.12, by /proc, which is the host's still.
            syscalls.mount("", f"/proc/self/fd/{fd}", "", kind)


class FileSystem(Step):
    """Mount a new file system (proc, tmpfs, sysfs, devpts, mqueue, cgroup2...) on a directory."""

    __slots__ = ("mount", "options")

    def __init__(self, mount: Mount, options: "Options | None" = None) -> None:
        self.mount = mount
        self.options = options or parse_options(mount.options)

    def describe(self) -> str:
        return f"mount {self.mount.type} on {self.mount.target}"

    def prepare(self) -> None:
        mount = self.mount
        check_place(mount.target, is_procfs=mount.type == "proc")
        if not mount.type:
            raise OSError(errno.EINVAL, "invalid mount type", mount.target)
        if mount.target == "/":
            raise OSError(errno.EPERM, f"mounting {mount.type} on `/` is not supported", mount.target)
        if mount.type == "overlay":
            self.options.data = _absolute_layers(self.options.data)

    def execute(self, root: Root) -> None:
        kind, flags, data = self.mount.type, self.options.fresh_flags, self.options.data
        fd, mode = self._open(root)
        try:
            os.fchdir(fd)
        finally:
            os.close(fd)
        if kind == "tmpfs" or self.mount.target == "/dev":
            flags &= ~c.MS_RDONLY  # it is filled first: `ReadOnlyAgain` comes at the end
            if mode >= 0:
                data = f"{data},mode={mode:o}".lstrip(",")
        try:
            syscalls.mount(self.mount.source or kind, ".", kind, flags, data)
        except OSError as error:
            self._mount_otherwise(error, flags, data)
        if self.options.propagation:
            fd = open_in_root(root.fd, self.mount.target, os.O_PATH | os.O_DIRECTORY)
            set_propagation(fd, self.options.propagation)
            os.close(fd)

    def _open(self, root: Root) -> "tuple[int, int]":
        """The target, and the mode that a tmpfs takes over from what is there, or -1."""
        target, kind = self.mount.target, self.mount.type
        flags = os.O_PATH | os.O_DIRECTORY
        try:
            if kind in ("proc", "sysfs"):
                fd = open_in_root(root.fd, target, flags, follow=False)
            else:
                fd = open_place(root.fd, target, flags)
        except FileNotFoundError:
            return create_directory(root.fd, target), -1
        except OSError as error:
            if kind in ("proc", "sysfs") and error.errno in (errno.ELOOP, errno.ENOTDIR):
                # A link would let an image choose what is hidden and protected there (CVE-2019-19921).
                raise OSError(error.errno, f"{kind} must be mounted on ordinary directory", target) from error
            raise
        takes_mode = kind == "tmpfs" and "mode=" not in self.options.data
        return fd, stat.S_IMODE(os.fstat(fd).st_mode) if takes_mode else -1

    def _mount_otherwise(self, error: OSError, flags: int, data: str) -> None:
        """What a user namespace refuses, but can have in another way; the working directory is the target."""
        error.filename = None
        kind = self.mount.type
        if kind == "devpts" and error.errno == errno.EINVAL and "gid=" in data:
            # A group that the namespace does not map (devpts is its own then, and gid=5 only the host's custom).
            words = [word for word in data.split(",") if not word.startswith("gid=")]
            syscalls.mount(self.mount.source or kind, ".", kind, flags, ",".join(words))
        elif kind == "sysfs" and error.errno == errno.EPERM and flags & c.MS_RDONLY and _in_user_namespace():
            # The network namespace is another user namespace's (sysfs shows its devices): the host's, read-only.
            depth = c.AT_RECURSIVE
            tree = syscalls.open_tree(c.AT_FDCWD, "/sys", c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | depth)
            here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            syscalls.mount_setattr(tree, depth, attr_set=self.options.bind_attributes[0] | c.MOUNT_ATTR_RDONLY)
            syscalls.move_mount(tree, here)
            os.close(here)
            os.close(tree)
        else:
            raise error


def _in_user_namespace() -> bool:
    # Not by its mappings, which may be those of the first one.
    return os.stat("/proc/self/ns/user").st_ino != _INITIAL_USER_NAMESPACE


def _absolute_layers(data: str) -> str:
    """The options of an overlay with its layers where they are now: seen from the bundle, which is left behind."""
    words = []
    for word in data.split(","):
        name, equals, value = word.partition("=")
        if name in ("lowerdir", "upperdir", "workdir") and equals:
            layers = value.split(":") if name == "lowerdir" else [value]
            value = ":".join(os.path.abspath(layer) if layer else layer for layer in layers)
        words.append(f"{name}{equals}{value}")
    return ",".join(words)


def sysctl_path(name: str) -> str:
    """The path below /proc/sys that a name stands for; the first of "." and "/" in it is what separates (sysctl(8))."""
    if "." in name and name.find(".") < (name.find("/") if "/" in name else len(name)):
        name = name.translate({ord("."): "/", ord("/"): "."})
    if ".." in name.split("/"):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), name)
    return name


class Sysctl(Step):
    """One kernel parameter of the container's namespaces."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    def describe(self) -> str:
        return f"set sysctl {self.name}"

    def execute(self, root: Root) -> None:
        # The host's /proc/sys shows the namespaces of whoever looks; the container's may not be what it seems.
        path = f"/proc/sys/{sysctl_path(self.name)}"
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.write(fd, self.value.encode())
        finally:
            os.close(fd)
