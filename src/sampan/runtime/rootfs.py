"""A container's root, planned from the OCI config and carried out by its first process.

Order       1. `Step.share` and `Step.prepare`: descriptors of everything that comes from the host (bind sources)
            2. `mount_root`: the root, on some directory of a mount namespace of the process's own
            3. `Step.execute`: mounts, nodes and links, resolved by the kernel inside the new root
            4. read-only and masked paths, a read-only root
            5. `enter_root`: pivot_root(2); no name leads to the host any more
Without     a mount namespace nothing is mounted at all, for it would be on the host: nodes are made, and the root is
            entered with chroot(2).
Spec        runtime-spec 1.2, config.md "Mounts", config-linux.md "Default Devices", "Masked Paths", "Rootfs Mount
            Propagation".
"""

import errno
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import CHDIR, IDMAP, PROPAGATION, TMPCOPYUP, Mount, Options, parse_options
from sampan.runtime.binds import Bind, Remount
from sampan.runtime.cgroupmount import CgroupMount
from sampan.runtime.masking import Mask, ReadOnly, ReadOnlyAgain
from sampan.runtime.nodes import Nodes, clean, nodes
from sampan.runtime.steps import FileSystem, Step, Sysctl, set_propagation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.namespaces import Namespaces


def plan(
    spec: "dict[str, Any]", cgroup_folders: "dict[str, str]", *, more: "list[Step] | None" = None, place: str = ""
) -> "list[Step]":
    """The steps for an OCI config, in order; pure. `cgroup_folders`: controller to directory, "" for version 2.

    `more`: further ones, to be done when all is mounted and nothing is read-only yet. `place`: where the root's files
    are on the host; a source below it means what is there by then, and a target below it the same as without.
    """
    linux = spec.get("linux") or {}
    kinds = {space["type"] for space in linux.get("namespaces") or ()}
    if "mount" not in kinds:
        return [Nodes(nodes(linux.get("devices") or []), may_bind=False), *(more or ())]
    steps, again = plan_mounts(spec, cgroup_folders, place=place)
    if not any(isinstance(step, Bind) and step.mount.target == "/dev" for step in steps):
        steps.append(_nodes(linux, in_user_namespace="user" in kinds))
    steps += [Sysctl(name, str(value)) for name, value in (linux.get("sysctl") or {}).items()]
    steps += more or ()
    if linux.get("readonlyPaths"):
        steps.append(ReadOnly(linux["readonlyPaths"]))
    if linux.get("maskedPaths"):
        steps.append(Mask(linux["maskedPaths"]))
    if (spec.get("root") or {}).get("readonly"):
        again.append(ReadOnlyAgain("/"))
    return steps + again


def plan_mounts(
    spec: "dict[str, Any]", cgroup_folders: "dict[str, str]", *, place: str = ""
) -> "tuple[list[Step], list[Step]]":
    """The steps for the mounts of a config alone, and what makes some of them read-only when all are filled."""
    linux = spec.get("linux") or {}
    kinds = {space["type"] for space in linux.get("namespaces") or ()}
    steps: list[Step] = []
    again: list[Step] = []
    for found in spec.get("mounts") or ():
        kind, target = found.get("type") or "", clean(found["destination"])
        if place:
            target = below(target, place) or target
        mount = Mount(kind, found.get("source") or "", target, list(found.get("options") or ()))
        options = parse_options(mount.options)
        if options.flags & c.MS_REMOUNT:
            steps.append(Remount(mount, options))
        elif kind == "bind" or options.flags & c.MS_BIND:
            bind = _bind(mount, options, place=place, in_user_namespace="user" in kinds)
            if options.ours or "uidMappings" in found or "gidMappings" in found:
                from sampan.runtime import idmap

                bind.id_map = idmap.of_mount(found, options.ours, linux)
            steps.append(bind)
        elif kind == "cgroup":
            steps.append(CgroupMount(mount, cgroup_folders, has_namespace="cgroup" in kinds))
        else:
            steps.append(_file_system(mount, options, spec))
            if options.fresh_flags & c.MS_RDONLY and (kind == "tmpfs" or target == "/dev"):
                again.append(ReadOnlyAgain(target))
    return steps, again


def _bind(mount: Mount, options: Options, *, place: str, in_user_namespace: bool) -> Bind:
    if not place:
        return Bind(mount, options, in_user_namespace=in_user_namespace)
    source = os.path.abspath(mount.source)
    # Later, a tree that the root is in would have it in it twice; and in a user namespace sources are out of reach.
    is_early = in_user_namespace or (options.flags & c.MS_REC and below(place, source))
    return Bind(
        mount,
        options,
        in_user_namespace=in_user_namespace,
        is_late=not is_early,
        inner=below(source, place),
    )


def below(path: str, place: str) -> str:
    """`path` as it is called inside the root at `place`; "" for one outside."""
    return path[len(place.rstrip("/")) :] or "/" if f"{path}/".startswith(f"{place.rstrip('/')}/") else ""


def _file_system(mount: Mount, options: Options, spec: "dict[str, Any]") -> FileSystem:
    if (spec.get("linux") or {}).get("mountLabel"):
        from sampan.runtime import labelledmount

        label, context_type = labelledmount.of_config(spec)
        if label and mount.type == "mqueue":
            return labelledmount.LabelledQueues(mount, options, label)
        if label:
            labelledmount.add_label(mount.type, options, label, context_type)
    if TMPCOPYUP in options.ours:
        from sampan.runtime.tmpcopyup import FilledTmpfs

        return FilledTmpfs(mount, options)
    return FileSystem(mount, options)


def _nodes(linux: "dict[str, Any]", *, in_user_namespace: bool) -> Nodes:
    found = nodes(linux.get("devices") or [])
    if not in_user_namespace:
        return Nodes(found)
    from sampan.runtime.boundnodes import BoundNodes
    from sampan.runtime.idmap import triples

    return BoundNodes(found, uids=triples(linux.get("uidMappings")), gids=triples(linux.get("gidMappings")))


def mount_root(mounts: "list[Mount]", staging: str, *, is_slave: bool = False) -> None:
    """Mount the root on the directory `staging` of this process's own mount namespace.

    `is_slave`: what the host mounts below the root's source is to appear in it.
    """
    for mount in mounts:
        options = parse_options(mount.options)
        folder, id_map = _own_words(options.ours)
        if folder and not id_map:
            os.chdir(folder)
        target = staging if not mount.target else f"{staging}/{mount.target}"
        if mount.type == "bind" or options.flags & c.MS_BIND:
            syscalls.mount(mount.source, target, "", c.MS_BIND | options.flags & c.MS_REC)
            if options.flags & ~(c.MS_BIND | c.MS_REC):
                syscalls.mount("", target, "", c.MS_REMOUNT | c.MS_BIND | options.flags)
            for kind in [c.MS_SLAVE | c.MS_REC] if is_slave else options.propagation:
                syscalls.mount("", target, "", kind)
            continue
        if id_map:
            from sampan.runtime import idmap, mappedlayers

            mapping = idmap.parse(id_map)
            mappedlayers.enter(folder, mapping, staging)
            mappedlayers.mount(mount, target, options, mapping)
        else:
            syscalls.mount(mount.source or mount.type, target, mount.type, options.flags, options.data)


def _own_words(words: "list[str]") -> "tuple[str, str]":
    folder = id_map = ""
    for word in words:
        if word.startswith(CHDIR):
            folder = word.removeprefix(CHDIR)
        elif word.startswith(IDMAP):
            id_map = word.removeprefix(IDMAP)
    return folder, id_map


def propagation_of_host(spec: "dict[str, Any]") -> int:
    """How the host's mounts are tied to their copies in the container's mount namespace (mount_namespaces(7))."""
    word = (spec.get("linux") or {}).get("rootfsPropagation")
    if word:
        kind = PROPAGATION[word] & ~c.MS_REC
        # From an unbindable mount no root could be made; it is the container's root that is to be so.
        return c.MS_PRIVATE if kind == c.MS_UNBINDABLE else kind
    for mount in spec.get("mounts") or []:
        if any(option.endswith(("slave", "shared")) for option in mount.get("options") or []):
            return c.MS_SLAVE
    return c.MS_PRIVATE


def is_shared(spec: "dict[str, Any]") -> bool:
    """Whether what is mounted in the copies can be seen on the host."""
    return propagation_of_host(spec) == c.MS_SHARED


def is_slave(spec: "dict[str, Any]") -> bool:
    """Whether the root is to show what the host mounts below it."""
    return (spec.get("linux") or {}).get("rootfsPropagation") in ("slave", "rslave")


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


def has_mounts(spaces: "Namespaces") -> bool:
    """Whether the container has, or joins, a mount namespace other than the host's."""
    return bool(spaces.new & c.CLONE_NEWNS) or "mount" in spaces.paths


def open_root(spaces: "Namespaces") -> int:
    """The working directory as the root of the steps to come: a descriptor of the mount."""
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if not (spaces.is_reborn and has_mounts(spaces)):
        return here
    # Every mount of the host is locked in a user namespace (mount_namespaces(7)): it has to be one of our own.
    tree = syscalls.open_tree(c.AT_FDCWD, ".", c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | c.AT_RECURSIVE)
    syscalls.move_mount(tree, here)
    os.close(here)
    return tree


def enter_root(root_fd: int, spec: "dict[str, Any]", spaces: "Namespaces", *, no_pivot: bool = False) -> None:
    """Make the mount that `root_fd` stands for the root, and let go of the old one."""
    os.fchdir(root_fd)
    if not has_mounts(spaces):
        os.chroot(".")
        os.chdir("/")
        return
    if no_pivot:
        from sampan.runtime import nopivot

        nopivot.enter(root_fd)
    else:
        _pivot(reaches_host=is_shared(spec) or "mount" in spaces.paths)
    os.chdir("/")
    kind = PROPAGATION.get((spec.get("linux") or {}).get("rootfsPropagation") or "", 0)
    # The other two were seen to when the root was mounted; said again, they would undo what single mounts asked for.
    if kind & (c.MS_SHARED | c.MS_UNBINDABLE):
        syscalls.mount("", "/", "", kind)


def _pivot(*, reaches_host: bool) -> None:
    old_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) if reaches_host else -1
    # Both on ".": the old root ends up below the new one and goes with a lazy unmount (pivot_root(2), "NOTES").
    syscalls.pivot_root(".", ".")
    if old_fd >= 0:
        # Else the host's own mounts would be unmounted with their copies.
        set_propagation(old_fd, [c.MS_SLAVE | c.MS_REC])
        os.close(old_fd)
    syscalls.umount2(".", c.MNT_DETACH)
