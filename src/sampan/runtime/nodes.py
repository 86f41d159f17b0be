"""Device nodes, and the links of /dev.

Order       After all mounts: what a mount has brought to /dev is kept. Devices of the config come before usual ones.
Privileges  In a user namespace mknod(2) is for nobody: the host's own nodes are bound instead (`runtime.boundnodes`).
Spec        runtime-spec 1.2, config-linux.md "Devices", "Default Devices"; runtime-linux.md "Dev symbolic links".
"""

import errno
import os
import stat

from sampan.linux.rootpath import open_in_root, open_or_create_directory
from sampan.runtime.steps import Root, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
)
_USUAL = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
_KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


class Node:
    """One node: clean absolute path, mode with type, device number, owner; `is_usual` if no config asked for it."""

    __slots__ = ("device", "gid", "is_usual", "mode", "path", "uid")

    def __init__(
        self, path: str, mode: int, device: int, *, uid: int = 0, gid: int = 0, is_usual: bool = False
    ) -> None:
        self.path = path
        self.mode = mode
        self.device = device
        self.uid = uid
        self.gid = gid
        self.is_usual = is_usual


def nodes(devices: "list[dict[str, Any]]") -> "list[Node]":
    """What `linux.devices` lists, then the usual ones that it does not name."""
    found = {}
    for device in devices:
        path = clean(device["path"])
        if path == "/dev/ptmx":
            continue  # always a link to the container's own (kernel: filesystems/devpts.rst)
        mode = device.get("fileMode")
        kind = _KINDS[device["type"]]
        found[path] = Node(
            path,
            kind | (0o666 if mode is None else mode & 0o7777),
            os.makedev(device.get("major") or 0, device.get("minor") or 0),
            uid=device.get("uid") or 0,
            gid=device.get("gid") or 0,
        )
    for name, major, minor in _USUAL:
        node = Node(f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor), is_usual=True)
        found.setdefault(node.path, node)
    return list(found.values())


def clean(path: str) -> str:
    """An absolute path without "..", "." and doubled slashes, lexically."""
    return "/" + os.path.normpath("/" + path).lstrip("/")


class Nodes(Step):
    """Make nodes and links; without `may_bind` nothing may be mounted, for it would be on the host."""

    __slots__ = ("may_bind", "nodes")

    def __init__(self, nodes: "list[Node]", *, may_bind: bool = True) -> None:
        self.nodes = nodes
        self.may_bind = may_bind

    def describe(self) -> str:
        return f"make {len(self.nodes)} device nodes"

    def execute(self, root: Root) -> None:
        dev = open_dev(root.fd)
        try:
            for node in self.nodes:
                folder, _, name = node.path.rpartition("/")
                fd = dev if folder == "/dev" else open_or_create_directory(root.fd, folder or "/")
                try:
                    self.make(fd, name, node)
                finally:
                    if fd != dev:
                        os.close(fd)
            make_links(dev)
        finally:
            os.close(dev)

    def make(self, folder_fd: int, name: str, node: Node) -> None:
        """Make one node in a directory."""
        try:
            os.mknod(name, node.mode, node.device, dir_fd=folder_fd)
        except FileExistsError:
            keep(folder_fd, name, node)
        except PermissionError:
            if not self.may_bind:
                raise
            # Not ours to make, in a user namespace or without the capability; the host's may do.
            from sampan.runtime import boundnodes

            boundnodes.bind(boundnodes.of_host(node), folder_fd, name, node)
        else:
            if node.uid or node.gid:
                os.chown(name, node.uid, node.gid, dir_fd=folder_fd, follow_symlinks=False)


def open_dev(root_fd: int) -> int:
    """The root's /dev, made if it lacks one. A link there that leads to nothing is an error, not made good."""
    flags = os.O_PATH | os.O_DIRECTORY
    try:
        return open_in_root(root_fd, "/dev", flags)
    except FileNotFoundError:
        try:
            os.mkdir("dev", 0o755, dir_fd=root_fd)
        except FileExistsError as error:
            raise OSError(errno.ENOTDIR, "not a directory", "/dev") from error
    return open_in_root(root_fd, "/dev", flags)


def keep(folder_fd: int, name: str, node: Node) -> None:
    """Leave what is there in a node's place, if it can be meant; EEXIST for what the config asked for differently."""
    if node.is_usual:
        return
    found = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    has_number = not stat.S_ISFIFO(node.mode)
    if stat.S_IFMT(found.st_mode) != stat.S_IFMT(node.mode) or (has_number and found.st_rdev != node.device):
        raise OSError(errno.EEXIST, "something else than this device exists already", node.path)


def make_links(dev_fd: int) -> None:
    """The links of /dev. What is in their place stays, but for ptmx, which has to be the container's own."""
    for name, target in LINKS:
        try:
            os.symlink(target, name, dir_fd=dev_fd)
        except FileExistsError:
            if name == "ptmx":
                _replace_link(dev_fd, name, target)


def _replace_link(dev_fd: int, name: str, target: str) -> None:
    found = os.stat(name, dir_fd=dev_fd, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode) and os.readlink(name, dir_fd=dev_fd) == target:
        return
    try:
        os.unlink(name, dir_fd=dev_fd)
    except OSError as error:
        # A mount that the config puts there is what its author wants there.
        if error.errno == errno.EBUSY:
            return
        raise
    os.symlink(target, name, dir_fd=dev_fd)
