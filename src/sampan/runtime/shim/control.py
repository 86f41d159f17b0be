"""The shim's side of a control connection: requests from the daemon, answers and events to it.

Requests ("do")     start; attach {stream} + fd; exec {id, process, user, groups, tty, stdin, stream?} + fd?;
                    resize {exec?, height, width}; kill {exec?, signal, all}; freeze {frozen}; state
Events ("event")    exit {record}; exec_exit {id, exit_code}
Both are JSON messages of `runtime.message`; the first connection comes with the launch, later ones by the socket
`shim.sock` in the shim's directory, whose permissions (0700) are the access control.
"""

import _socket as socket
import os

from sampan.runtime import message
from sampan.runtime.shim.loop import IN, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Handler = Callable[["Request"], None]


class Refused(Exception):
    """A request that cannot be done; `kind` is the error class that the daemon raises."""

    def __init__(self, kind: str, text: str, *, exit_code: int = 0) -> None:
        super().__init__(text)
        self.kind = kind
        self.exit_code = exit_code


class Request:
    """One request with its descriptors; to be answered once, now or later."""

    __slots__ = ("_connection", "body", "fds")

    def __init__(self, connection: "Connection", body: "dict[str, Any]", fds: "list[int]") -> None:
        self._connection = connection
        self.body = body
        self.fds = fds

    def succeed(self, **found: object) -> None:
        self._connection.send({"seq": self.body["seq"], "ok": found})

    def fail(self, kind: str, text: str, *, exit_code: int = 0) -> None:
        error = {"class": kind, "message": text, "exit_code": exit_code}
        self._connection.send({"seq": self.body["seq"], "error": error})

    def close_fds(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = []


class Connection:
    """One connected daemon; dropped without a word when it goes away."""

    __slots__ = ("_handler", "_loop", "_on_close", "_sock", "is_open")

    def __init__(
        self, loop: Loop, sock: socket.socket, handler: "Handler", on_close: "Callable[[Connection], None]"
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._handler = handler
        self._on_close = on_close
        self.is_open = True
        sock.setblocking(False)
        loop.watch(sock.fileno(), IN, self._hear)

    def _hear(self, events: int) -> None:
        try:
            found = message.receive(self._sock)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            found = None
        if found is None:
            self.close()
            return
        request = Request(self, *found)
        try:
            self._handler(request)
        except Refused as error:
            request.fail(error.kind, str(error), exit_code=error.exit_code)
        except Exception as error:  # the connection's edge: whoever asked must not wait for ever
            request.fail("Internal", f"{request.body.get('do')}: {type(error).__name__}: {error}")
        request.close_fds()

    def send(self, found: "dict[str, object]") -> None:
        """Send an answer or event; a daemon that does not listen (a full socket) is as good as gone."""
        if not self.is_open:
            return
        try:
            message.send(self._sock, found)
        except OSError:
            self.close()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._loop.unwatch(self._sock.fileno())
            self._sock.close()
            self._on_close(self)
