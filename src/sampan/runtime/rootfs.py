"""A container's root, planned from the OCI config and carried out by its first process.

Order       1. `Step.prepare`: descriptors of everything that comes from the host (bind sources), in the host's view
            2. `mount_root`: the root, on some directory of a mount namespace of the process's own
            3. `Step.execute`: mounts, nodes and links, resolved by the kernel inside the new root
            4. read-only and masked paths, a read-only root
            5. `enter_root`: pivot_root(2); no name leads to the host any more
Spec        runtime-spec 1.2, config.md "Mounts", config-linux.md "Default Devices", "Masked Paths".
"""

import errno
import os
import stat

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import CHDIR, PROPAGATION, Mount, parse_options
from sampan.runtime.cgroupmount import CgroupMount
from sampan.runtime.steps import Bind, FileSystem, Mask, Nodes, ReadOnly, ReadOnlyAgain, Step, Sysctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.namespaces import Namespaces

DEFAULT_NODES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))


def plan(spec: "dict[str, Any]", cgroup_folders: "dict[str, str]") -> "list[Step]":
    """The steps for an OCI config, in order; pure. `cgroup_folders`: controller to directory, "" for version 2."""
    linux = spec.get("linux") or {}
    has_cgroup_ns = any(ns["type"] == "cgroup" and not ns.get("path") for ns in linux.get("namespaces") or [])
    steps: list[Step] = []
    again: list[Step] = []
    for found in spec.get("mounts") or []:
        kind = found.get("type") or ""
        mount = Mount(kind, found.get("source") or "", found["destination"], list(found.get("options") or []))
        options = parse_options(mount.options)
        if kind == "cgroup":
            steps.append(CgroupMount(mount, cgroup_folders, has_namespace=has_cgroup_ns))
        elif kind == "bind" or options.flags & c.MS_BIND:
            steps.append(Bind(mount))
        else:
            steps.append(FileSystem(mount))
            if kind == "tmpfs" and options.flags & c.MS_RDONLY:
                again.append(ReadOnlyAgain(mount.target, options.flags & (c.MS_NOSUID | c.MS_NODEV | c.MS_NOEXEC)))
            if mount.target == "/dev":
                steps.append(Nodes(_nodes(linux.get("devices") or [])))
    steps += [Sysctl(name, str(value)) for name, value in (linux.get("sysctl") or {}).items()]
    if linux.get("readonlyPaths"):
        steps.append(ReadOnly(linux["readonlyPaths"]))
    if linux.get("maskedPaths"):
        steps.append(Mask(linux["maskedPaths"]))
    if (spec.get("root") or {}).get("readonly"):
        again.append(ReadOnlyAgain("/", 0))
    return steps + again


def _nodes(devices: "list[dict[str, Any]]") -> "list[tuple[str, int, int, int, int, int]]":
    kinds = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
    found = []
    for device in devices:
        mode = kinds[device["type"]] | (device.get("fileMode") or 0o666) & 0o7777
        numbers = device.get("major", 0), device.get("minor", 0)
        found.append((device["path"], mode, *numbers, device.get("uid") or 0, device.get("gid") or 0))
    named = {path for path, *_ in found}
    usual = [(f"/dev/{name}", stat.S_IFCHR | 0o666, major, minor, 0, 0) for name, major, minor in DEFAULT_NODES]
    return [node for node in usual if node[0] not in named] + found


def mount_root(mounts: "list[Mount]", staging: str) -> None:
    """Mount the root on the directory `staging` of this process's own mount namespace."""
    for mount in mounts:
        options = parse_options(mount.options)
        for word in options.ours:
            if word.startswith(CHDIR):
                os.chdir(word.removeprefix(CHDIR))
        target = staging if not mount.target else f"{staging}/{mount.target}"
        if mount.type == "bind" or options.flags & c.MS_BIND:
            syscalls.mount(mount.source, target, "", c.MS_BIND | options.flags & c.MS_REC)
            if options.flags & ~(c.MS_BIND | c.MS_REC):
                syscalls.mount("", target, "", c.MS_REMOUNT | c.MS_BIND | options.flags)
            if options.propagation:
                syscalls.mount("", target, "", options.propagation)
        else:
            syscalls.mount(mount.source or mount.type, target, mount.type, options.flags, options.data)


def propagation_of_host(spec: "dict[str, Any]") -> int:
    """How the host's mounts are tied to their copies in the container's mount namespace (mount_namespaces(7))."""
    word = (spec.get("linux") or {}).get("rootfsPropagation")
    if word:
        return PROPAGATION[word] & ~c.MS_REC
    for mount in spec.get("mounts") or []:
        if any(option.endswith(("slave", "shared")) for option in mount.get("options") or []):
            return c.MS_SLAVE
    return c.MS_PRIVATE


def is_private(spec: "dict[str, Any]") -> bool:
    """Whether nothing that is mounted in the copies can be seen on the host."""
    return propagation_of_host(spec) == c.MS_PRIVATE


def make_parent_private(path: str) -> None:
    """What is mounted on `path` must not travel to the host, nor may pivot_root(2) find its parent shared."""
    while True:
        try:
            syscalls.mount("", path, "", c.MS_PRIVATE)
            return
        except OSError as error:
            # EINVAL: not a mount point, so the mount it lies in is further up.
            if error.errno != errno.EINVAL or path == "/":
                raise
            path = os.path.dirname(path)


def enter_root(root_fd: int, spec: "dict[str, Any]", spaces: "Namespaces", *, no_pivot: bool = False) -> None:
    """Make the mount that `root_fd` stands for the root, and let go of the old one."""
    os.fchdir(root_fd)
    if not (spaces.new & c.CLONE_NEWNS or "mount" in spaces.paths):
        os.chroot(".")
    elif no_pivot:
        syscalls.mount(".", "/", "", c.MS_MOVE)
        os.chroot(".")
    else:
        # Both on ".": the old root ends up below the new one and goes with a lazy unmount (pivot_root(2), "NOTES").
        syscalls.pivot_root(".", ".")
        syscalls.umount2(".", c.MNT_DETACH)
    os.chdir("/")
    word = (spec.get("linux") or {}).get("rootfsPropagation")
    if word:
        syscalls.mount("", "/", "", PROPAGATION[word])
