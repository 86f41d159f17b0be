"""Which control groups this machine has, found once from /proc/self/mountinfo (proc_pid_mountinfo(5)).

Managers    "cgroupfs" makes directories itself; "systemd" asks systemd for a scope; "disabled" does nothing.
Paths       cgroupfs: "/a/b", and "a/b" means the same: below the root of each hierarchy, whoever runs the command. That
            keeps a path true for every later process. systemd: "slice:prefix:name", or the path that came of it.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.cgroup.contract import Cgroup as Cgroup


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
    """Those of this machine. The launcher asks before it forks, so that no child has to import what serves them."""
    if not _found:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            found = parse(file.read())
        if found.is_v2:
            import sampan.runtime.cgroup.v2
        else:
            import sampan.runtime.cgroup.v1  # noqa: F401
        _found.append(found)
    return _found[0]


def cgroup_for(
    path: str, *, manager: str = "cgroupfs", name: str = "", annotations: "dict[str, str] | None" = None
) -> "Cgroup":
    """The cgroup at `path` in whichever version this machine uses; without a path, container `name`'s default.

    `annotations`: the container's, of which the systemd manager reads org.systemd.property.*.
    """
    if manager == "disabled":
        from sampan.runtime.cgroup.disabled import NoCgroup

        return NoCgroup()
    path = path or default_path(name, manager)
    if manager == "systemd":
        from sampan.runtime.cgroup.systemd import driver

        return driver.cgroup_for(path, annotations or {}, at=at)
    return at(path)


def at(path: str) -> "Cgroup":
    """The cgroup in the directories at `path`."""
    found = hierarchies()
    path = os.path.normpath("/" + path.lstrip("/"))
    if path == "/":
        raise ValueError("a container needs a cgroup of its own, not the root")
    if found.is_v2:
        from sampan.runtime.cgroup.v2 import CgroupV2

        return CgroupV2(path, found.v2)
    from sampan.runtime.cgroup.v1 import CgroupV1

    return CgroupV1(path, found.v1)


def default_path(name: str, manager: str) -> str:
    """The cgroupsPath of a container whose config has none."""
    if manager == "systemd":
        return f":sampan:{name}"
    if os.geteuid() != 0 and hierarchies().is_v2:
        # Beside the caller's own cgroup, which systemd may have given to its user; the root is not theirs.
        return os.path.join(os.path.dirname(_own_path()), name)
    return f"/{name}"


def _own_path() -> str:
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        return file.read().rpartition("0::")[2].rstrip("\n") or "/"


def parse_below(words: "list[str]") -> "dict[str, str]":
    """What `exec --cgroup` names: "path", or "controller[,controller]:path" on version 1; "" stands for all."""
    from sampan.runtime.cgroup import files

    found: dict[str, str] = {}
    for word in words:
        controllers, colon, path = word.rpartition(":")
        for controller in controllers.split(",") if colon else [""]:
            if controller in found:
                raise ValueError(f"invalid --cgroup argument: {word}: named twice")
            files.sub_path(path)
            found[controller] = path
    return found
