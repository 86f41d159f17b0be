"""The single actions that make a container's file system; `runtime.rootfs` puts them in order.

Security    Targets are names that an image chose. They are opened inside the root with magic links refused
            (`linux.rootpath`), and mounts go onto the opened descriptor, never onto a path.
"""

import errno
import os
import stat

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import COPY_UP, Mount, Options, parse_options
from sampan.linux.rootpath import open_in_root, open_or_create_directory, open_or_create_file
from sampan.runtime import copyup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)


class Root:
    """The new root while it is being set up: its descriptor, and how to join the cgroup when its mount needs it."""

    __slots__ = ("enter_cgroup", "fd")

    def __init__(self, enter_cgroup: "Callable[[], None]") -> None:
        self.fd = -1
        self.enter_cgroup = enter_cgroup


class Step:
    """One action; `describe` is for error messages and tests."""

    __slots__ = ()

    def describe(self) -> str:
        raise NotImplementedError

    def prepare(self) -> None:
        """Before the host's view is given up; nothing for most steps."""

    def execute(self, root: Root) -> None:
        raise NotImplementedError


class FileSystem(Step):
    """Mount a new file system (proc, tmpfs, sysfs, devpts, mqueue, cgroup2...) on a directory."""

    __slots__ = ("mount", "options")

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        self.options = parse_options(mount.options)

    def describe(self) -> str:
        return f"mount {self.mount.type} on {self.mount.target}"

    def execute(self, root: Root) -> None:
        self._enter(open_or_create_directory(root.fd, self.mount.target))
        kind, flags = self.mount.type, self.options.flags
        # A read-only tmpfs is filled first: `ReadOnlyAgain` comes at the end.
        flags &= ~c.MS_RDONLY if kind == "tmpfs" else ~0
        syscalls.mount(self.mount.source or kind, ".", kind, flags, self.options.data)
        if self.options.propagation:
            self._enter(open_in_root(root.fd, self.mount.target, os.O_PATH | os.O_DIRECTORY))
            syscalls.mount("", ".", "", self.options.propagation)

    def _enter(self, fd: int) -> None:
        try:
            os.fchdir(fd)
        finally:
            os.close(fd)


class Bind(Step):
    """Bind a file or directory of the host."""

    __slots__ = ("is_directory", "mount", "options", "tree_fd")

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        self.options = parse_options(mount.options)
        self.tree_fd = -1
        self.is_directory = True

    def describe(self) -> str:
        return f"bind {self.mount.source} on {self.mount.target}"

    def prepare(self) -> None:
        flags = c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC
        if self.options.flags & c.MS_REC:
            flags |= c.AT_RECURSIVE
        self.tree_fd = syscalls.open_tree(c.AT_FDCWD, self.mount.source, flags)
        self.is_directory = stat.S_ISDIR(os.fstat(self.tree_fd).st_mode)

    def execute(self, root: Root) -> None:
        make = open_or_create_directory if self.is_directory else open_or_create_file
        target = make(root.fd, self.mount.target)
        try:
            if COPY_UP in self.options.ours and self.is_directory:
                self._fill(root)
            place(self.tree_fd, target, self.options)
            if self.options.propagation:
                # By /proc: mount_setattr(2), which takes the descriptor itself, is younger. /proc is the host's still.
                syscalls.mount("", f"/proc/self/fd/{self.tree_fd}", "", self.options.propagation)
        finally:
            os.close(target)
            os.close(self.tree_fd)

    def _fill(self, root: Root) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY
        image_fd = open_in_root(root.fd, self.mount.target, flags)
        volume_fd = os.open(".", flags | os.O_CLOEXEC, dir_fd=self.tree_fd)
        copyup.fill(image_fd, volume_fd)
        os.close(image_fd)
        os.close(volume_fd)


def place(tree_fd: int, target_fd: int, options: Options) -> None:
    """Put a detached mount onto an opened target, with its attributes."""
    is_late = not set_attributes(tree_fd, options)
    syscalls.move_mount(tree_fd, target_fd)
    if is_late:
        syscalls.mount("", f"/proc/self/fd/{tree_fd}", "", _remount_flags(tree_fd, options))


def set_attributes(tree_fd: int, options: Options) -> bool:
    """Give a detached mount its attributes; False where the kernel cannot (before 5.12) and a remount is needed."""
    wanted, clear = options.bind_attributes, c.MOUNT_ATTR__ATIME
    try:
        if wanted:
            is_atime = wanted & c.MOUNT_ATTR__ATIME
            syscalls.mount_setattr(tree_fd, 0, attr_set=wanted, attr_clr=clear if is_atime else 0)
        if options.set_recursive or options.clear_recursive:
            on, off = options.set_recursive, options.clear_recursive
            syscalls.mount_setattr(tree_fd, c.AT_RECURSIVE, attr_set=on, attr_clr=off)
    except OSError as error:
        if error.errno != errno.ENOSYS or options.set_recursive:
            raise
        return False
    return True


def _remount_flags(fd: int, options: Options) -> int:
    # What is locked on the source (nosuid, nodev, noexec) must be named again, or the remount is refused.
    kept = os.fstatvfs(fd).f_flag & (c.MS_NOSUID | c.MS_NODEV | c.MS_NOEXEC)
    return c.MS_REMOUNT | c.MS_BIND | options.flags & ~c.MS_REC | kept


class Nodes(Step):
    """Device nodes and the links of /dev."""

    __slots__ = ("nodes",)

    def __init__(self, nodes: "list[tuple[str, int, int, int, int, int]]") -> None:
        self.nodes = nodes  # (absolute path, mode with type, major, minor, uid, gid)

    def describe(self) -> str:
        return f"make {len(self.nodes)} device nodes"

    def execute(self, root: Root) -> None:
        for path, mode, major, minor, uid, gid in self.nodes:
            folder, _, name = path.rpartition("/")
            fd = open_or_create_directory(root.fd, folder or "/")
            try:
                os.mknod(name, mode, os.makedev(major, minor), dir_fd=fd)
                if uid or gid:
                    os.chown(name, uid, gid, dir_fd=fd, follow_symlinks=False)
            except FileExistsError:
                continue
            finally:
                os.close(fd)
        fd = open_in_root(root.fd, "/dev", os.O_PATH | os.O_DIRECTORY)
        for name, target in LINKS:
            try:
                os.symlink(target, name, dir_fd=fd)
            except FileExistsError:
                continue
        os.close(fd)


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


class Mask(Step):
    """Hide paths: files behind /dev/null, directories behind one empty read-only tmpfs. Missing ones are no error."""

    __slots__ = ("null_fd", "paths")

    def __init__(self, paths: "list[str]") -> None:
        self.paths = paths
        self.null_fd = -1

    def describe(self) -> str:
        return f"mask {len(self.paths)} paths"

    def prepare(self) -> None:
        # The host's: what the container has at /dev/null may be anything (CVE-2025-31133).
        self.null_fd = syscalls.open_tree(c.AT_FDCWD, "/dev/null", c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC)

    def execute(self, root: Root) -> None:
        empty, has_null = -1, False
        for path in self.paths:
            try:
                target = open_in_root(root.fd, path, os.O_PATH)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if not stat.S_ISDIR(os.fstat(target).st_mode):
                if has_null:
                    _mount_copy(self.null_fd, target)
                else:
                    syscalls.move_mount(self.null_fd, target)
                has_null = True
            elif empty < 0:
                os.fchdir(target)
                syscalls.mount("tmpfs", ".", "tmpfs", c.MS_RDONLY, "nr_inodes=2")
                empty = open_in_root(root.fd, path, os.O_PATH)
            else:
                _mount_copy(empty, target)
            os.close(target)
        if empty >= 0:
            os.close(empty)
        os.close(self.null_fd)


def _mount_copy(mount_fd: int, target_fd: int) -> None:
    tree = syscalls.open_tree(mount_fd, "", c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | c.AT_EMPTY_PATH)
    syscalls.move_mount(tree, target_fd)
    os.close(tree)


class ReadOnly(Step):
    """Make paths read-only by binding them onto themselves. Missing ones are no error."""

    __slots__ = ("paths",)

    def __init__(self, paths: "list[str]") -> None:
        self.paths = paths

    def describe(self) -> str:
        return f"make {len(self.paths)} paths read-only"

    def execute(self, root: Root) -> None:
        flags = c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | c.AT_EMPTY_PATH | c.AT_RECURSIVE
        options = parse_options(["ro"])
        for path in self.paths:
            try:
                target = open_in_root(root.fd, path, os.O_PATH)
            except (FileNotFoundError, NotADirectoryError):
                continue
            tree = syscalls.open_tree(target, "", flags)
            place(tree, target, options)
            os.close(tree)
            os.close(target)


class ReadOnlyAgain(Step):
    """Remount a place read-only after it has been filled: the root, or a tmpfs such as /dev."""

    __slots__ = ("flags", "target")

    def __init__(self, target: str, flags: int) -> None:
        self.target = target
        self.flags = flags

    def describe(self) -> str:
        return f"remount {self.target} read-only"

    def execute(self, root: Root) -> None:
        target = open_in_root(root.fd, self.target, os.O_PATH | os.O_DIRECTORY)
        os.fchdir(target)
        os.close(target)
        syscalls.mount("", ".", "", c.MS_REMOUNT | c.MS_BIND | c.MS_RDONLY | self.flags)
