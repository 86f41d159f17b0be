"""A container's view of its control groups, at /sys/fs/cgroup.

In a cgroup namespace the hierarchies are mounted anew, and the kernel shows the container's own part as their root.
Without one, the container's directories are bound from the host's mounts, which gives the same view.
"""

import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import Mount, parse_options
from sampan.linux.rootpath import open_in_root
from sampan.runtime.steps import FileSystem, Root, Step


class CgroupMount(Step):
    """`folders`: the container's directory by controller; a single "" stands for version 2."""

    __slots__ = ("folders", "has_namespace", "mount", "tree_fds")

    def __init__(self, mount: Mount, folders: "dict[str, str]", *, has_namespace: bool) -> None:
        self.mount = mount
        self.folders = folders
        self.has_namespace = has_namespace
        self.tree_fds: dict[str, int] = {}

    def describe(self) -> str:
        return f"mount cgroups on {self.mount.target}"

    def prepare(self) -> None:
        if self.has_namespace:
            return
        for folder in dict.fromkeys(self.folders.values()):
            self.tree_fds[folder] = syscalls.open_tree(c.AT_FDCWD, folder, c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC)

    def execute(self, root: Root) -> None:
        root.enter_cgroup()
        if "" in self.folders:
            self._version_2(root)
            return
        words = ["nosuid", "noexec", "nodev", "mode=755"]
        FileSystem(Mount("tmpfs", "tmpfs", self.mount.target, words)).execute(root)
        target = open_in_root(root.fd, self.mount.target, os.O_PATH | os.O_DIRECTORY)
        os.fchdir(target)
        flags = parse_options(self.mount.options).flags
        for folder, names, controllers in hierarchies(self.folders):
            os.mkdir(names[0], 0o755)
            if self.has_namespace:
                syscalls.mount("cgroup", names[0], "cgroup", flags, controllers)
            else:
                self._move(folder, names[0])
            for name in names[1:]:
                os.symlink(names[0], name)
        if flags & c.MS_RDONLY:
            syscalls.mount("", ".", "", c.MS_REMOUNT | c.MS_BIND | flags)
        os.close(target)

    def _version_2(self, root: Root) -> None:
        if self.has_namespace:
            FileSystem(Mount("cgroup2", "cgroup", self.mount.target, self.mount.options)).execute(root)
        else:
            self._move(self.folders[""], open_in_root(root.fd, self.mount.target, os.O_PATH))

    def _move(self, folder: str, target: "str | int") -> None:
        tree = self.tree_fds.pop(folder)
        attributes = parse_options(self.mount.options).bind_attributes
        syscalls.mount_setattr(tree, 0, attr_set=attributes)
        fd = os.open(target, os.O_PATH | os.O_CLOEXEC) if isinstance(target, str) else target
        syscalls.move_mount(tree, fd)
        os.close(fd)
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
