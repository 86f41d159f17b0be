"""Receiving the terminal that a runtime makes: it connects to a socket and sends the master (--console-socket).

The socket is named to the runtime as /proc/<our pid>/fd/<n>/<name>, for an address has 108 bytes at most (unix(7)) and
the shim's directory alone may be longer.
"""

import _socket as socket
import os
import struct

from sampan.runtime.shim.loop import IN, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_INT = struct.Struct("i")


class Console:
    """A listening socket for one terminal; `on_terminal(master)` is called once, when it has come."""

    __slots__ = ("_connection", "_folder_fd", "_is_done", "_listener", "_loop", "_name", "_on_terminal")

    def __init__(self, loop: Loop, folder: str, name: str, on_terminal: "Callable[[int], None]") -> None:
        self._loop = loop
        self._name = name
        self._on_terminal = on_terminal
        self._connection: socket.socket | None = None
        self._is_done = False
        self._folder_fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listener.bind(f"/proc/self/fd/{self._folder_fd}/{name}")
        self._listener.listen(1)
        loop.watch(self._listener.fileno(), IN, self._connected)

    @property
    def path(self) -> str:
        """The socket's address for another process that sees our /proc."""
        return f"/proc/{os.getpid()}/fd/{self._folder_fd}/{self._name}"

    def _connected(self, events: int) -> None:
        if self._connection is not None:
            return
        try:
            fd, _ = self._listener._accept()  # type: ignore[attr-defined]  # what socket.accept wraps
        except BlockingIOError:
            return
        self._connection = socket.socket(fileno=fd)
        self._connection.setblocking(False)
        self._loop.watch(fd, IN, self._hear)

    def _hear(self, events: int) -> None:
        assert self._connection is not None
        try:
            _, control, _, _ = self._connection.recvmsg(4096, socket.CMSG_SPACE(4 * _INT.size), socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            control = []
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        fds = [fd for level, kind, text in control if (level, kind) == rights for (fd,) in _INT.iter_unpack(text)]
        for fd in fds[1:]:
            os.close(fd)
        self.close()
        if fds:
            self._on_terminal(fds[0])

    def finish(self) -> None:
        """The runtime's command has ended: what it sent is here already, if it sent anything."""
        if not self._is_done:
            self._connected(0)
        if self._connection is not None and not self._is_done:
            self._hear(0)
        self.close()

    def close(self) -> None:
        """Let the socket go; safe to call again."""
        if self._is_done:
            return
        self._is_done = True
        if self._connection is not None:
            self._loop.unwatch(self._connection.fileno())
            self._connection.close()
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        os.unlink(f"/proc/self/fd/{self._folder_fd}/{self._name}")
        os.close(self._folder_fd)
