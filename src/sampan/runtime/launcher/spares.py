"""Shims made ahead of need, each with a first process that waits in its namespaces.

A fork of an interpreter costs little by itself; what costs is that both sides then copy every page they touch, and that
is most of the work of a container's start. A spare has done that work while nobody waited. It is used once, for any
container with the usual namespaces. On control groups version 2, where a first process is best born in its cgroup,
spares have none yet (docs/adr/0006-spare-shims.md).
"""

import _socket as socket
import os

from sampan.runtime import message
from sampan.runtime.cgroup.detect import hierarchies
from sampan.runtime.shim import main as shim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SPARES = 1


class SpareShims:
    """Idle shims by the sockets on which each waits for its one request."""

    __slots__ = ("_become_child", "_example_fd", "_idle")

    def __init__(self, become_child: "Callable[[], None]") -> None:
        self._idle: list[socket.socket] = []
        self._become_child = become_child
        self._example_fd = -1  # what the last first process was told, for the next spare to rehearse

    @property
    def is_full(self) -> bool:
        return len(self._idle) >= SPARES

    def stock(self) -> None:
        """Fork one ahead."""
        self._idle.append(self._fork(ahead=not hierarchies().is_v2))

    def launch(self, packet: bytes, fds: "list[int]") -> None:
        """Give a request to a spare, or to a new shim when there is none."""
        if len(fds) > 1:
            if self._example_fd >= 0:
                os.close(self._example_fd)
            self._example_fd = os.dup(fds[1])
        while self._idle:
            if self._ask(self._idle.pop(), packet, fds):
                return
        self.launch_new(packet, fds)

    def launch_new(self, packet: bytes, fds: "list[int]") -> None:
        """Give a request to a new shim."""
        if not self._ask(self._fork(ahead=False), packet, fds):
            raise OSError("a shim died as it was born")

    def _ask(self, sock: socket.socket, packet: bytes, fds: "list[int]") -> bool:
        try:
            message.send_packet(sock, [packet], fds)
        except OSError:
            return False  # somebody killed it
        finally:
            sock.close()
        return True

    def _fork(self, *, ahead: bool) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            ours.close()
            for sock in self._idle:
                sock.close()
            self._become_child()
            shim.run(theirs, ahead=ahead, example_fd=self._example_fd)
        theirs.close()
        return ours
