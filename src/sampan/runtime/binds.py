"""Bind mounts: files and directories of the host in the container's root, and mounts whose options change.

A source becomes a detached mount while it can be seen (open_tree(2)) and is moved into the root later; in between it
gets its attributes, so that nothing is ever reachable with others.

Ties        A mount that is to be a slave or shared is cloned in the host's mount namespace, where it has its peers.
            In a user namespace it is made a slave first: what the container mounts below must not reach the host.
Links       "src-nofollow" binds a link itself, "dest-nofollow" mounts over a link, "copy-symlink" makes the same link.
"""

import errno
import os
import stat

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import (
    COPY_SYMLINK,
    COPY_UP,
    SOURCE_NOFOLLOW,
    TARGET_NOFOLLOW,
    Mount,
    Options,
    parse_options,
    unescape,
)
from sampan.linux.rootpath import create_directory, create_file, open_in_root, open_or_create_directory
from sampan.runtime.steps import Root, Step, check_place, open_place, set_propagation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.idmap import IdMap

_TIED = c.MS_SHARED | c.MS_SLAVE


class Bind(Step):
    """Bind a file or directory of the host.

    id_map      for a mount that shows other owners than the files have
    is_late     clone the source in `execute` only, when earlier mounts are there; else in `prepare`
    inner       the source's path in the new root, if it is there; then it is late in any case
    """

    __slots__ = (
        "id_map",
        "in_user_namespace",
        "inner",
        "is_directory",
        "is_late",
        "link",
        "mount",
        "options",
        "tree_fd",
    )

    def __init__(
        self,
        mount: Mount,
        options: "Options | None" = None,
        *,
        id_map: "IdMap | None" = None,
        in_user_namespace: bool = False,
        is_late: bool = False,
        inner: str = "",
    ) -> None:
        self.mount = mount
        self.options = options or parse_options(mount.options)
        self.id_map = id_map
        self.in_user_namespace = in_user_namespace
        self.is_late = is_late or bool(inner)
        self.inner = inner
        self.tree_fd = -1
        self.is_directory = True
        self.link = ""

    def describe(self) -> str:
        return f"bind {self.mount.source} on {self.mount.target}"

    def share(self) -> None:
        if any(kind & _TIED for kind in self.options.propagation) and not self.inner and _is_shared(self.mount.source):
            self._clone()
            if self.in_user_namespace and self.tree_fd >= 0:
                set_propagation(self.tree_fd, [c.MS_SLAVE | c.MS_REC])

    def prepare(self) -> None:
        if not self.is_late:
            self._take()
        elif not self.mount.source.startswith("/"):
            self.mount.source = os.path.abspath(self.mount.source)  # the working directory is the bundle still

    def _take(self, root_fd: int = -1) -> None:
        """Have the source as a detached mount, or as the text of a link."""
        if self.inner:
            source = open_in_root(root_fd, self.inner, os.O_PATH)
            self.tree_fd = syscalls.open_tree(source, "", self._flags() | c.AT_EMPTY_PATH)
            os.close(source)
        elif self.tree_fd < 0:
            self._clone()
        if self.tree_fd >= 0:
            self.is_directory = stat.S_ISDIR(os.fstat(self.tree_fd).st_mode)
        check_place(self.mount.target, is_procfs=self.mount.target == "/proc" and self._is_procfs())
        if self.id_map and self.tree_fd >= 0:
            self.id_map.apply(self.tree_fd)

    def _clone(self) -> None:
        words, flags = self.options.ours, self._flags()
        if words:
            if SOURCE_NOFOLLOW in words:
                flags |= c.AT_SYMLINK_NOFOLLOW
            if COPY_SYMLINK in words and self._takes_link():
                return
        self.tree_fd = syscalls.open_tree(c.AT_FDCWD, self.mount.source, flags)

    def _flags(self) -> int:
        depth = c.AT_RECURSIVE if self.options.flags & c.MS_REC else 0
        return c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | depth

    def _takes_link(self) -> bool:
        if SOURCE_NOFOLLOW in self.options.ours or TARGET_NOFOLLOW in self.options.ours:
            text = "`copy-symlink` is mutually exclusive with `src-nofollow` and `dest-nofollow`"
            raise OSError(errno.EINVAL, text)
        if os.path.islink(self.mount.source):
            self.link = os.readlink(self.mount.source)
        return bool(self.link)

    def _is_procfs(self) -> bool:
        from sampan.linux.newmount import PROC_SUPER_MAGIC, filesystem_type

        return self.tree_fd >= 0 and filesystem_type(self.tree_fd) == PROC_SUPER_MAGIC

    def execute(self, root: Root) -> None:
        if self.is_late:
            self._take(root.fd)
        if self.link:
            _make_link(root.fd, self.link, self.mount.target)
            return
        target = self._open(root)
        try:
            if COPY_UP in self.options.ours and self.is_directory:
                self._fill(root)
            place(self.tree_fd, target, self.options)
            set_propagation(self.tree_fd, self.options.propagation)
            if self.mount.target == "/":
                root.replace(self.tree_fd)
        finally:
            os.close(target)
            os.close(self.tree_fd)

    def _open(self, root: Root) -> int:
        target = self.mount.target
        if TARGET_NOFOLLOW in self.options.ours:
            return open_in_root(root.fd, target, os.O_PATH | os.O_NOFOLLOW)
        try:
            return open_place(root.fd, target, os.O_PATH | (os.O_DIRECTORY if self.is_directory else 0))
        except FileNotFoundError:
            return (create_directory if self.is_directory else create_file)(root.fd, target)

    def _fill(self, root: Root) -> None:
        from sampan.runtime import copyup

        flags = os.O_RDONLY | os.O_DIRECTORY
        image_fd = open_in_root(root.fd, self.mount.target, flags)
        volume_fd = os.open(".", flags | os.O_CLOEXEC, dir_fd=self.tree_fd)
        copyup.fill(image_fd, volume_fd)
        os.close(image_fd)
        os.close(volume_fd)


def _is_shared(path: str) -> bool:
    """Whether what is mounted at `path` or below it has peers (proc_pid_mountinfo(5))."""
    path = os.path.realpath(path)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields, _, _ = line.partition(" - ")
            place = unescape(fields.split(" ")[4])
            is_near = f"{path}/".startswith(f"{place.rstrip('/')}/") or f"{place}/".startswith(f"{path}/")
            if is_near and (" shared:" in fields or " master:" in fields):
                return True
    return False


def _make_link(root_fd: int, text: str, target: str) -> None:
    parent, _, name = target.rpartition("/")
    folder = open_or_create_directory(root_fd, parent or "/")
    try:
        os.symlink(text, name, dir_fd=folder)
    except FileExistsError as error:
        found = os.lstat(name, dir_fd=folder)
        if not stat.S_ISLNK(found.st_mode) or os.readlink(name, dir_fd=folder) != text:
            raise OSError(errno.EEXIST, f"symlink `{target}` already exists with a different content") from error
    finally:
        os.close(folder)


def place(tree_fd: int, target_fd: int, options: Options) -> None:
    """Put a detached mount onto an opened target, with its attributes."""
    is_late = not set_attributes(tree_fd, options)
    syscalls.move_mount(tree_fd, target_fd)
    if is_late:
        syscalls.mount("", f"/proc/self/fd/{tree_fd}", "", remount_flags(tree_fd, options))


def set_attributes(mount_fd: int, options: Options) -> bool:
    """Give a mount its attributes; False where the kernel cannot (before 5.12) and a remount is needed."""
    wanted, unwanted = options.bind_attributes
    try:
        if wanted or unwanted:
            _change(mount_fd, 0, wanted, unwanted)
        if options.set_recursive or options.clear_recursive:
            _change(mount_fd, c.AT_RECURSIVE, options.set_recursive, options.clear_recursive)
    except OSError as error:
        if error.errno != errno.ENOSYS or options.set_recursive:
            raise
        return False
    return True


def _change(mount_fd: int, depth: int, wanted: int, unwanted: int) -> None:
    try:
        syscalls.mount_setattr(mount_fd, depth, attr_set=wanted, attr_clr=unwanted)
    except PermissionError:
        # "rw" asks for no more than the source gives: for a user namespace, a mount that came read-only stays so.
        if not unwanted & c.MOUNT_ATTR_RDONLY:
            raise
        syscalls.mount_setattr(mount_fd, depth, attr_set=wanted, attr_clr=unwanted & ~c.MOUNT_ATTR_RDONLY)


def remount_flags(fd: int, options: Options) -> int:
    """The flags for a remount of what is mounted at `fd`."""
    # What is locked on the source (nosuid, nodev, noexec) must be named again, or the remount is refused.
    kept = os.fstatvfs(fd).f_flag & (c.MS_NOSUID | c.MS_NODEV | c.MS_NOEXEC)
    return c.MS_REMOUNT | c.MS_BIND | options.flags & ~c.MS_REC | kept


class Remount(Step):
    """Change the options of what is mounted there already: of the mount alone with "bind", else of the file system."""

    __slots__ = ("mount", "options")

    def __init__(self, mount: Mount, options: Options) -> None:
        self.mount = mount
        self.options = options

    def describe(self) -> str:
        return f"remount {self.mount.target}"

    def execute(self, root: Root) -> None:
        fd = open_in_root(root.fd, self.mount.target, os.O_PATH)
        try:
            if self.options.flags & c.MS_BIND:
                set_attributes(fd, self.options)
            else:
                # The host's /proc: it is there until the root is entered.
                syscalls.mount("", f"/proc/self/fd/{fd}", "", self.options.fresh_flags, self.options.data)
            set_propagation(fd, self.options.propagation)
        finally:
            os.close(fd)
