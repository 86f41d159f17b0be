"""Which namespaces a process is born in, makes, or joins, from the list of the OCI config.

Born        The usual first process is cloned into new PID, UTS and IPC namespaces; the others it makes or joins itself.
Reborn      With a user namespace, or a PID namespace to join, one process cannot do both halves of the work: what
            needs the host's privileges, and what has to belong to the container's user namespace. Such a first process
            is cloned without namespaces, prepares on the host, and clones its successor into them
            (`runtime.rebirth`).
Spec        runtime-spec 1.2, config-linux.md "Namespaces"; namespaces(7).
"""

import _socket as socket
import fcntl
import os
import struct

from sampan.linux import constants as c
from sampan.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLAGS = {
    "user": c.CLONE_NEWUSER,
    "mount": c.CLONE_NEWNS,
    "pid": c.CLONE_NEWPID,
    "network": c.CLONE_NEWNET,
    "ipc": c.CLONE_NEWIPC,
    "uts": c.CLONE_NEWUTS,
    "cgroup": c.CLONE_NEWCGROUP,
    "time": c.CLONE_NEWTIME,
}
USUAL_FLAGS = c.CLONE_NEWPID | c.CLONE_NEWUTS | c.CLONE_NEWIPC
USUALLY_JOINED = c.CLONE_NEWNS | c.CLONE_NEWUTS | c.CLONE_NEWIPC | c.CLONE_NEWNET | c.CLONE_NEWCGROUP

_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x41


class Namespaces:
    """The list of the config, sorted: `new` is CLONE_NEW* of those to be made, `paths` by type those to be joined."""

    __slots__ = ("new", "paths")

    def __init__(self, found: "list[dict[str, Any]] | None") -> None:
        self.new = 0
        self.paths: dict[str, str] = {}
        for namespace in found or ():
            kind, path = namespace["type"], namespace.get("path")
            if path:
                self.paths[kind] = path
            else:
                self.new |= FLAGS[kind]

    @property
    def is_reborn(self) -> bool:
        """Whether the first process has to be cloned once more, on the way."""
        return bool(self.new & c.CLONE_NEWUSER) or "user" in self.paths or "pid" in self.paths

    @property
    def at_birth(self) -> int:
        """The CLONE_NEW* with which a first process is cloned by its supervisor."""
        return 0 if self.is_reborn else self.new & USUAL_FLAGS

    @property
    def joined(self) -> int:
        """The CLONE_NEW* that a further process joins, after its birth in the PID namespace (setns(2) on a pidfd)."""
        own = c.CLONE_NEWUSER | c.CLONE_NEWTIME
        flags = USUALLY_JOINED | self.new & own
        for kind in self.paths:
            flags |= FLAGS[kind] & own
        return flags

    @property
    def in_user_namespace(self) -> bool:
        return bool(self.new & c.CLONE_NEWUSER) or "user" in self.paths

    def open(self) -> "dict[str, int]":
        """Descriptors of those to be joined, while their paths mean what the config's author meant."""
        return {kind: os.open(path, os.O_RDONLY | os.O_CLOEXEC) for kind, path in self.paths.items()}


def raise_loopback() -> None:
    """Set the loopback device of the current network namespace up (netdevice(7))."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        fcntl.ioctl(sock.fileno(), _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP_RUNNING))
    finally:
        sock.close()


def join(fds: "dict[str, int]", *kinds: str) -> None:
    """setns(2) into those of `kinds` that are among `fds`, which are closed."""
    for kind in kinds:
        fd = fds.pop(kind, -1)
        if fd >= 0:
            try:
                syscalls.setns(fd, FLAGS[kind])
            finally:
                os.close(fd)
