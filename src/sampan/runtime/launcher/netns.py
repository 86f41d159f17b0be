"""Fresh network namespaces, made ahead of need.

The launcher has one thread, so it may leave its own namespace for a moment: unshare(2), take descriptors, and back.
A namespace that nobody holds any more is taken down by the kernel, so nothing can leak.
Owned       A container in a user namespace can do nothing with a network namespace that is the host's: no sysfs, no
            net sysctls, no CAP_NET_*. Both are then born together (`make_owned`).
"""

import _socket as socket
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime.namespaces import raise_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SPARES = 2


class Namespaces:
    """A stock of namespaces; each is (descriptor, NETLINK_ROUTE socket that lives inside)."""

    __slots__ = ("_home_fd", "_spares")

    def __init__(self) -> None:
        self._home_fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._spares: list[tuple[int, socket.socket]] = []

    def take(self) -> "tuple[int, socket.socket]":
        """One that nobody has used; the caller closes both descriptors."""
        return self._spares.pop() if self._spares else self._make()

    @property
    def is_full(self) -> bool:
        return len(self._spares) >= SPARES

    def stock(self) -> None:
        """Make one ahead."""
        self._spares.append(self._make())

    def _make(self) -> "tuple[int, socket.socket]":
        syscalls.unshare(c.CLONE_NEWNET)
        try:
            return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC), _set_up()
        finally:
            syscalls.setns(self._home_fd, c.CLONE_NEWNET)

    def make_owned(
        self, uids: "list[dict[str, Any]]", gids: "list[dict[str, Any]]"
    ) -> "tuple[int, socket.socket, int]":
        """A namespace that belongs to a new user namespace with these mappings (of the OCI config), and that one."""
        # Not before: most daemons never ask.
        from sampan.linux.idmap import namespace_fds
        from sampan.runtime.idmap import triples

        found = namespace_fds(triples(uids), triples(gids), more=c.CLONE_NEWNET, kinds=("network",))
        try:
            syscalls.setns(found["network"], c.CLONE_NEWNET)
            try:
                return found["network"], _set_up(), found["user"]
            finally:
                syscalls.setns(self._home_fd, c.CLONE_NEWNET)
        except BaseException:
            for fd in found.values():
                os.close(fd)
            raise

    def close(self) -> None:
        """Drop the stock, as every forked child does."""
        for fd, route in self._spares:
            os.close(fd)
            route.close()
        self._spares = []
        os.close(self._home_fd)


def _set_up() -> socket.socket:
    """Loopback up; a NETLINK_ROUTE socket that stays in the current namespace."""
    raise_loopback()
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
