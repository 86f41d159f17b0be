"""One blocking connection to an engine, over a unix socket or TCP.

Layout      Connection.send writes a request; .read_response returns its head; the Response then gives the body as a
            whole, in pieces, or the socket itself (`hijack`) with the bytes that already arrived.
Invariants  1. A connection carries one exchange at a time; `Connection.is_idle` says when the next may start.
            2. An upload is read from its source piece by piece; an answer that comes early (an error before the
               upload's end) is what the caller sees, not the broken pipe.
Errors      Unavailable: nothing listens, or the connection broke. Internal: not HTTP.
"""

from __future__ import annotations

import _socket

from sampan import errors
from sampan.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sampan.client.hosts import Host

READ_BYTES = 1 << 18


def open_socket(host: Host) -> _socket.socket:
    """A connected stream socket; OSError says why not."""
    if host.path:
        raw = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0)
        try:
            raw.connect(host.path)
        except BaseException:
            raw.close()
            raise
        return raw
    failure: OSError | None = None
    for family, kind, protocol, _, address in _socket.getaddrinfo(host.name, host.port, 0, _socket.SOCK_STREAM):
        raw = _socket.socket(family, kind, protocol)
        try:
            raw.connect(address)
        except OSError as cause:
            raw.close()
            failure = cause
            continue
        raw.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        return raw
    raise failure or OSError(f"no address for {host.name}")


class Connection:
    __slots__ = ("_received", "_socket", "is_idle", "is_open")

    def __init__(self, raw: _socket.socket) -> None:
        self._socket = raw
        self._received = b""
        self.is_idle = True
        self.is_open = True

    def send(self, head: bytes, body: bytes | Iterable[bytes] | None) -> None:
        """Write a request. A broken pipe is left for `read_response`, which finds the answer that explains it."""
        self.is_idle = False
        try:
            if body is None or isinstance(body, bytes):
                self._socket.sendall(head + (body or b""))
                return
            self._socket.sendall(head)
            for piece in body:
                if piece:
                    self._socket.sendall(http.encode_chunk(piece))
            self._socket.sendall(http.encode_chunk(b""))
        except (BrokenPipeError, ConnectionResetError):
            self.is_open = False

    def read_response(self, method: str) -> Response:
        """The next final response; interim ones (1xx but 101) are passed over."""
        while True:
            parsed = http.parse_head(self._received)
            if parsed is None:
                received = self._receive_now()
                if not received:
                    self.close()
                    raise errors.Unavailable("error during connect: EOF")
                self._received += received
                continue
            head, self._received = parsed
            if head.status >= 200 or head.is_upgrade:
                return Response(self, head, http.body_of(head, method))

    def receive(self) -> bytes:
        """What the peer sent next; empty at the end of the stream."""
        if self._received:
            received, self._received = self._received, b""
            return received
        return self._receive_now()

    def release(self, leftover: bytes, *, keeps_alive: bool) -> None:
        """An exchange is over: wait for the next one, or close."""
        self._received = leftover
        if keeps_alive and self.is_open:
            self.is_idle = True
        else:
            self.close()

    def detach(self) -> tuple[_socket.socket, bytes]:
        """Hand the socket over, with what was received and not yet read."""
        received, self._received = self._received, b""
        self.is_open = False
        return self._socket, received

    def is_usable(self) -> bool:
        """Idle, and the peer has neither closed nor said anything since."""
        if not (self.is_open and self.is_idle):
            return False
        try:
            self._socket.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        self.is_open = False
        self._socket.close()

    def _receive_now(self) -> bytes:
        try:
            return self._socket.recv(READ_BYTES)
        except ConnectionResetError:
            return b""


class Response:
    __slots__ = ("_body", "_connection", "head")

    def __init__(self, connection: Connection, head: http.Head, body: http.Body) -> None:
        self._connection = connection
        self._body = body
        self.head = head
        if body.finished:
            self._finish()

    def is_complete(self) -> bool:
        return self._body.finished

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives; a connection that ends too early raises Internal."""
        while not self.is_complete():
            received = self._connection.receive()
            pieces = self._body.feed(received)
            if not received:
                self._connection.close()
                self._body.feed_end()
            if self.is_complete():
                self._finish()
            yield from pieces

    def read(self) -> bytes:
        return b"".join(self.pieces())

    def hijack(self) -> tuple[_socket.socket, bytes]:
        """The socket of an upgraded connection, and the stream bytes that came with the head."""
        return self._connection.detach()

    def close(self) -> None:
        """Give the rest of the body up."""
        self._connection.close()

    def _finish(self) -> None:
        ends_with_connection = isinstance(self._body, http.CloseBody)
        self._connection.release(self._body.leftover, keeps_alive=self.head.keeps_alive and not ends_with_connection)
