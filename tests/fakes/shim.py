"""A shim as the daemon meets it: the far end of a control connection, which says what the test lets it say."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from sampan.runtime import message

Answer = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any] | None] | None


class FakeShim:
    """Answers each request by its "do" from `answers`; a missing one stays unanswered."""

    def __init__(self, sock: socket.socket, **answers: Answer) -> None:
        self.sock = sock
        self.answers = answers
        self.requests: list[dict[str, Any]] = []
        self.fds: list[int] = []
        sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._hear)

    def _hear(self) -> None:
        found = message.receive(self.sock)
        if found is None:
            self.die()
            return
        body, fds = found
        self.requests.append(body)
        self.fds += fds
        answer = self.answers.get(body["do"])
        result = answer(body) if callable(answer) else answer
        if result is not None and self.sock.fileno() >= 0:
            message.send(self.sock, {"seq": body["seq"], **result})

    def tell(self, **event: object) -> None:
        """Send an event."""
        message.send(self.sock, event)

    def die(self) -> None:
        """End the connection."""
        if self.sock.fileno() >= 0:
            self._loop.remove_reader(self.sock.fileno())
            self.sock.close()
