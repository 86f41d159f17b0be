"""Names of systemd's units, and where systemd puts their cgroups (systemd.slice(5), systemd.unit(5)).

cgroupsPath "slice:prefix:name", as runc reads it: a scope "prefix-name.scope" in the slice. An empty slice is
            system.slice, or user.slice for a user's own systemd.
            "slice:name.scope" as crun reads it: without a prefix.
            "/system.slice/prefix-name.scope": the path that came of it.
"""

import errno
import os

from sampan.runtime.cgroup import files

_SLICE = ".slice"
_FORM = 'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups'


class Target:
    """A unit and its place: `slice_name` in which to make it, `path` in the hierarchy when that is known."""

    __slots__ = ("path", "slice_name", "unit")

    def __init__(self, unit: str, slice_name: str, path: str) -> None:
        self.unit = unit
        self.slice_name = slice_name
        self.path = path


def parse_target(text: str, *, is_user: bool, manager_path: str = "") -> Target:
    """The unit that a cgroupsPath means. `manager_path`: the cgroup of the user's systemd, below which all is."""
    if text.startswith("/"):
        path = os.path.normpath(text)
        return Target(_checked(os.path.basename(path)), os.path.basename(os.path.dirname(path)), path)
    parts = text.split(":")
    if not 2 <= len(parts) <= 3:
        raise files.CgroupError(errno.EINVAL, f"{_FORM}, got {text!r} instead")
    slice_name = parts[0] or ("user.slice" if is_user else "system.slice")
    unit = _checked(unit_name(*parts[1:]))
    return Target(unit, slice_name, f"{manager_path}{expand_slice(slice_name).rstrip('/')}/{unit}")


def unit_name(*words: str) -> str:
    """A scope of the words, which are a prefix and a name, or a name alone."""
    return "-".join(filter(None, words)).removesuffix(".scope") + ".scope"


def _checked(unit: str) -> str:
    if "/" in unit or not unit.endswith(".scope") or unit == ".scope":
        raise files.CgroupError(errno.EINVAL, f"invalid systemd unit name: {unit!r}")
    return unit


def expand_slice(name: str) -> str:
    """A slice's path: a dash in its name is a step down, so "a-b.slice" is in "/a.slice/a-b.slice"."""
    if name == "-.slice":
        return "/"
    stem = name.removesuffix(_SLICE)
    parts = stem.split("-")
    if stem == name or "/" in name or "" in parts:
        raise files.CgroupError(errno.EINVAL, f"invalid slice name: {name}")
    return "".join(f"/{'-'.join(parts[: count + 1])}{_SLICE}" for count in range(len(parts)))
