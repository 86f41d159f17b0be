"""A container's view of its control groups, at /sys/fs/cgroup.

Version 1   In a cgroup namespace the hierarchies are mounted anew, and the kernel shows the container's own part as
            their root. Without one, the container's directories are bound from the host's mounts: the same view.
Version 2   is mounted anew in any case: without a namespace that is the whole hierarchy, in which /proc/self/cgroup
            has its meaning. Where a user namespace is refused that, the same is bound from the host's mount.
"""

import errno
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import Mount, parse_options
from sampan.linux.rootpath import open_in_root
from sampan.runtime.cgroup.detect import hierarchies as of_machine
from sampan.runtime.steps import FileSystem, Root, Step, check_place, set_propagation

_CLONE = c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC


class CgroupMount(Step):
    """`folders`: the container's directory by controller; a single "" stands for version 2; none: its creator's."""

    __slots__ = ("folders", "has_namespace", "mount", "options", "tree_fds")

    def __init__(self, mount: Mount, folders: "dict[str, str]", *, has_namespace: bool) -> None:
        self.mount = mount
        self.options = parse_options(mount.options)
        self.folders = folders
        self.has_namespace = has_namespace
        self.tree_fds: dict[str, int] = {}

    def describe(self) -> str:
        return f"mount cgroups on {self.mount.target}"

    def prepare(self) -> None:
        check_place(self.mount.target, is_procfs=False)
        if not self.folders:
            self.folders = of_creator(_own_cgroups())
        if self.has_namespace or "" in self.folders:
            return
        for folder in dict.fromkeys(self.folders.values()):
            self.tree_fds[folder] = syscalls.open_tree(c.AT_FDCWD, folder, _CLONE)

    def execute(self, root: Root) -> None:
        root.enter_cgroup()
        if "" in self.folders:
            self._version_2(root)
        else:
            self._version_1(root)

    def _version_2(self, root: Root) -> None:
        step = FileSystem(Mount("cgroup2", "cgroup", self.mount.target, self.mount.options), self.options)
        try:
            step.execute(root)
        except OSError as error:
            # EBUSY: it is there already, with the host's /sys.
            if error.errno not in (errno.EPERM, errno.EBUSY):
                raise
            source = self.folders[""] if self.has_namespace else of_machine().v2
            target = open_in_root(root.fd, self.mount.target, os.O_PATH | os.O_DIRECTORY)
            self._move(syscalls.open_tree(c.AT_FDCWD, source, _CLONE), target)
            os.close(target)

    def _version_1(self, root: Root) -> None:
        words = ["nosuid", "noexec", "nodev", "mode=755"]
        FileSystem(Mount("tmpfs", "tmpfs", self.mount.target, words)).execute(root)
        target = open_in_root(root.fd, self.mount.target, os.O_PATH | os.O_DIRECTORY)
        os.fchdir(target)
        flags = self.options.fresh_flags
        for folder, names, controllers in hierarchies(self.folders):
            os.mkdir(names[0], 0o755)
            if self.has_namespace:
                syscalls.mount("cgroup", names[0], "cgroup", flags, controllers)
            else:
                fd = os.open(names[0], os.O_PATH | os.O_CLOEXEC)
                self._move(self.tree_fds.pop(folder), fd)
                os.close(fd)
            for name in names[1:]:
                os.symlink(names[0], name)
        if flags & c.MS_RDONLY:
            syscalls.mount("", ".", "", c.MS_REMOUNT | c.MS_BIND | flags)
        set_propagation(target, self.options.propagation)
        os.close(target)

    def _move(self, tree: int, target: int) -> None:
        wanted, unwanted = self.options.bind_attributes
        syscalls.mount_setattr(tree, 0, attr_set=wanted, attr_clr=unwanted & c.MOUNT_ATTR__ATIME)
        syscalls.move_mount(tree, target)
        os.close(tree)


def hierarchies(folders: "dict[str, str]") -> "list[tuple[str, list[str], str]]":
    """(directory, names in /sys/fs/cgroup, mount options) of each v1 hierarchy; a shared one has a joint name."""
    by_folder: dict[str, list[str]] = {}
    for name, folder in folders.items():
        by_folder.setdefault(folder, []).append(name)
    found = []
    for folder, controllers in by_folder.items():
        plain = [name.removeprefix("name=") for name in controllers]
        names = plain if len(plain) == 1 else [",".join(plain), *plain]
        is_named = controllers[0].startswith("name=")
        found.append((folder, names, ",".join(["none", *controllers] if is_named else controllers)))
    return found


def _own_cgroups() -> str:
    with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def of_creator(text: str) -> "dict[str, str]":
    """The directories of whoever has the /proc/self/cgroup `text` (cgroups(7)), by controller."""
    machine = of_machine()
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            place = machine.v1.get(name, "") if name else machine.is_v2 and machine.v2
            if place:
                found[name] = f"{place}{path}".rstrip("/")
    return found
