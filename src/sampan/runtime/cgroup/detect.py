"""Which control groups this machine has, found once from /proc/self/mountinfo (proc_pid_mountinfo(5))."""

import os

from sampan.runtime.cgroup.v1 import CgroupV1
from sampan.runtime.cgroup.v2 import CgroupV2

Cgroup = CgroupV1 | CgroupV2


class Hierarchies:
    """Where they are mounted: `v1` by controller, `v2` the unified one's place or ""."""

    __slots__ = ("v1", "v2")

    def __init__(self, v1: "dict[str, str]", v2: str) -> None:
        self.v1 = v1
        self.v2 = v2

    @property
    def is_v2(self) -> bool:
        """Whether limits are set in version 2: no version 1 controller is mounted."""
        return bool(self.v2) and not any(name in self.v1 for name in ("memory", "cpu", "pids"))


def parse(mountinfo: str) -> Hierarchies:
    """Hierarchies from the text of a mountinfo file; the first mount of each counts."""
    v1: dict[str, str] = {}
    v2 = ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fstype, _, options = after.split(" ", 2)
        mountpoint = before.split(" ")[4]
        if fstype == "cgroup2":
            v2 = v2 or mountpoint
        elif fstype == "cgroup":
            for option in options.split(","):
                v1.setdefault(option, mountpoint)
    return Hierarchies(v1, v2)


_found: "list[Hierarchies]" = []


def hierarchies() -> Hierarchies:
    """Those of this machine."""
    if not _found:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            _found.append(parse(file.read()))
    return _found[0]


def cgroup_for(path: str) -> Cgroup:
    """The cgroup at `path` ("/sampan/<id>") in whichever version this machine uses."""
    found = hierarchies()
    path = os.path.normpath("/" + path.lstrip("/"))
    if path == "/":
        raise ValueError("a container needs a cgroup of its own, not the root")
    return CgroupV2(path, found.v2) if found.is_v2 else CgroupV1(path, found.v1)
