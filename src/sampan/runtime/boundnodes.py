"""Device nodes for a container in a user namespace, where mknod(2) is for nobody.

Usual       The host's own nodes, bound.
Listed      Made with the host's privileges on a tmpfs that nobody else sees, with the mode and owner that the config
            asks for, and bound; without those privileges the host's node of the same path and number.
Attributes  "nosuid" and "noexec"; the mount must not be "nodev", or the device would be none.
"""

import _socket as socket
import errno
import os
import stat

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime import message
from sampan.runtime.idmap import host_id
from sampan.runtime.nodes import Node, Nodes, keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from sampan.linux.idmap import Mapping
else:
    import _signal as signal  # the same functions without the enums around them

_ATTRIBUTES = c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NOEXEC
_CLONE = c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC
_NOBODY = 65534  # fs/overflowuid(5): what an id that is not mapped looks like


class BoundNodes(Nodes):
    """`Nodes` that come from the host; `uids` and `gids` are the mappings of the container's user namespace."""

    __slots__ = ("gids", "trees", "uids")

    def __init__(self, nodes: "list[Node]", *, uids: "list[Mapping]", gids: "list[Mapping]") -> None:
        super().__init__(nodes)
        self.uids = uids
        self.gids = gids
        self.trees: dict[str, int] = {}

    def prepare(self) -> None:
        listed = [node for node in self.nodes if not node.is_usual and not stat.S_ISFIFO(node.mode)]
        try:
            self.trees = precreate(listed, uids=self.uids, gids=self.gids) if listed else {}
        except PermissionError:
            self.trees = {node.path: of_host(node) for node in listed}
        self.trees.update({node.path: of_host(node) for node in self.nodes if node.is_usual})

    def make(self, folder_fd: int, name: str, node: Node) -> None:
        tree = self.trees.pop(node.path, -1)
        if tree < 0:
            super().make(folder_fd, name, node)
        else:
            bind(tree, folder_fd, name, node)


def of_host(node: Node) -> int:
    """The host's node of the same path as a detached mount; ENODEV when it is another device."""
    found = os.stat(node.path)
    if stat.S_IFMT(found.st_mode) != stat.S_IFMT(node.mode) or found.st_rdev != node.device:
        raise OSError(errno.ENODEV, "the host's is another device, and this one cannot be made here", node.path)
    return syscalls.open_tree(c.AT_FDCWD, node.path, _CLONE)


def bind(tree_fd: int, folder_fd: int, name: str, node: Node) -> None:
    """Put a detached node into a directory, over what stands for it there; closes `tree_fd`."""
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(name, flags, 0o600, dir_fd=folder_fd))
    except FileExistsError:
        found = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
        # An empty file is what the last run's mount left behind.
        if not stat.S_ISREG(found.st_mode) or found.st_size:
            keep(folder_fd, name, node)
            os.close(tree_fd)
            return
    target = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    try:
        syscalls.mount_setattr(tree_fd, 0, attr_set=_ATTRIBUTES)
        syscalls.move_mount(tree_fd, target)
    finally:
        os.close(target)
        os.close(tree_fd)


def precreate(nodes: "list[Node]", *, uids: "list[Mapping]", gids: "list[Mapping]") -> "dict[str, int]":
    """Detached mounts of new nodes by path. PermissionError where nobody may make any."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid, pidfd = syscalls.clone3(c.CLONE_NEWNS, exit_signal=signal.SIGCHLD)
    if not pid:
        ours.close()
        _make_for(theirs, nodes, uids, gids)
    theirs.close()
    found = {}
    try:
        for node in nodes:
            answer = message.receive(ours)
            if answer is None:
                raise OSError(errno.ECHILD, "the process that makes device nodes died", node.path)
            if "errno" in answer[0]:
                number = int(str(answer[0]["errno"]))
                raise OSError(number, os.strerror(number), node.path)
            found[node.path] = answer[1][0]
    finally:
        ours.close()
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        os.close(pidfd)
    return found


def _make_for(sock: socket.socket, nodes: "list[Node]", uids: "list[Mapping]", gids: "list[Mapping]") -> None:
    """In a mount namespace of its own, which ends with this process."""
    try:
        syscalls.mount("", "/", "", c.MS_REC | c.MS_PRIVATE)
        syscalls.mount("tmpfs", "/dev", "tmpfs", c.MS_NOSUID | c.MS_NOEXEC, "mode=700")
        for number, node in enumerate(nodes):
            path = f"/dev/{number}"
            os.mknod(path, node.mode, node.device)
            os.chown(path, _outside(node.uid, uids), _outside(node.gid, gids))
            tree = syscalls.open_tree(c.AT_FDCWD, path, _CLONE)
            message.send(sock, {"event": "node"}, [tree])
            os.close(tree)
    except OSError as error:
        message.send(sock, {"event": "error", "errno": error.errno or errno.EIO})
    finally:
        os._exit(0)


def _outside(number: int, mappings: "list[Mapping]") -> int:
    found = host_id(number, mappings)
    return _NOBODY if found < 0 else found
