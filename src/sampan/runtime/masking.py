"""What a container must not see or change: paths hidden or made read-only, and what is read-only once it is filled.

Paths that are not there are no error, nor are those that nobody in the container can get at.
Spec        runtime-spec 1.2, config-linux.md "Masked Paths", "Readonly Paths".
"""

import errno
import os
import stat

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.rootpath import open_in_root
from sampan.runtime.steps import Root, Step

_UNREACHABLE = (FileNotFoundError, NotADirectoryError, PermissionError)
_KEPT = c.MS_NOSUID | c.MS_NODEV | c.MS_NOEXEC


class Mask(Step):
    """Hide paths: files behind /dev/null, directories behind one empty read-only tmpfs."""

    __slots__ = ("null_fd", "paths")

    def __init__(self, paths: "list[str]") -> None:
        self.paths = list(dict.fromkeys(paths))
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
            except _UNREACHABLE:
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
    """Make paths read-only by binding them onto themselves; their other attributes stay."""

    __slots__ = ("paths",)

    def __init__(self, paths: "list[str]") -> None:
        self.paths = list(dict.fromkeys(paths))

    def describe(self) -> str:
        return f"make {len(self.paths)} paths read-only"

    def execute(self, root: Root) -> None:
        flags = c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | c.AT_EMPTY_PATH | c.AT_RECURSIVE
        for path in self.paths:
            try:
                target = open_in_root(root.fd, path, os.O_PATH)
            except _UNREACHABLE:
                continue
            tree = syscalls.open_tree(target, "", flags)
            is_done = _add_attributes(tree, c.MOUNT_ATTR_RDONLY)
            syscalls.move_mount(tree, target)
            if not is_done:
                _remount(tree, c.MS_RDONLY)
            os.close(tree)
            os.close(target)


class ReadOnlyAgain(Step):
    """Make a mount read-only after it has been filled: the root, or a tmpfs such as /dev."""

    __slots__ = ("target",)

    def __init__(self, target: str) -> None:
        self.target = target

    def describe(self) -> str:
        return f"remount {self.target} read-only"

    def execute(self, root: Root) -> None:
        is_root = self.target == "/"
        fd = root.fd if is_root else open_in_root(root.fd, self.target, os.O_PATH | os.O_DIRECTORY)
        if not _add_attributes(fd, c.MOUNT_ATTR_RDONLY):
            _remount(fd, c.MS_RDONLY)
        if not is_root:
            os.close(fd)


def _add_attributes(mount_fd: int, attributes: int) -> bool:
    """False where the kernel cannot (before 5.12) and a remount is needed."""
    try:
        syscalls.mount_setattr(mount_fd, 0, attr_set=attributes)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        return False
    return True


def _remount(mount_fd: int, flags: int) -> None:
    kept = os.fstatvfs(mount_fd).f_flag & _KEPT
    syscalls.mount("", f"/proc/self/fd/{mount_fd}", "", c.MS_REMOUNT | c.MS_BIND | flags | kept)
