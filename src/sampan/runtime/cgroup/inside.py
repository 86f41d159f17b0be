"""Cgroups inside a container's own, which the container or its owner made, for one more process to enter."""

import errno
import os

from sampan.runtime.cgroup import files


class Inside:
    """Directories to enter, one in each hierarchy."""

    __slots__ = ("folders", "version")

    def __init__(self, folders: "list[str]", version: int) -> None:
        self.folders = folders
        self.version = version

    def entry_fds(self, beside: int = 0) -> "list[int]":
        """Descriptors to write "0" to."""
        name = "tasks" if self.version == 1 else "cgroup.procs"
        return [os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CLOEXEC) for folder in dict.fromkeys(self.folders)]

    def clone_fd(self, beside: int = 0) -> int:
        """A descriptor to be born in; 0 on version 1."""
        return 0 if self.version == 1 else os.open(self.folders[0], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def of_v1(folders: "dict[str, str]", where: "dict[str, str]") -> Inside:
    """`where` by controller, "" for all: such a path need not be in each hierarchy, but in one of them."""
    if unknown := [name for name in where if name and name not in folders]:
        raise files.CgroupError(errno.EINVAL, f"unknown controller {unknown[0]} in the cgroup to enter")
    found = {}
    for name, folder in folders.items():
        path = folder + files.sub_path(where.get(name, where.get("", "")))
        if name in where and not os.path.isdir(path):
            raise _missing(path)
        found[name] = path if os.path.isdir(path) else folder
    if files.sub_path(where.get("", "")) and found == folders:
        raise _missing(next(iter(folders.values()), "") + files.sub_path(where[""]))
    return Inside(list(found.values()), 1)


def of_v2(folder: str, where: "dict[str, str]") -> Inside:
    """There is one hierarchy, so controllers cannot be named."""
    if list(where) != [""]:
        raise files.CgroupError(errno.EINVAL, f"cgroup v2 has no hierarchy of controller {next(iter(where))} to enter")
    path = folder + files.sub_path(where[""])
    if not os.path.isdir(path):
        raise _missing(path)
    return Inside([path], 2)


def _missing(path: str) -> files.CgroupError:
    return files.CgroupError(errno.ENOENT, f"cannot enter cgroup {path}: {os.strerror(errno.ENOENT)}")
