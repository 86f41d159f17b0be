"""HTTP/1.1 as bytes: no socket, no clock.

A request is encoded in one piece of head and a framed body; a response's head is parsed once it is complete, and its
body by a decoder that is fed whatever arrived. A decoder holds at most one partial chunk line, never the body.

Invariants  1. `leftover` of a finished decoder is what followed the message: nothing received is lost, which a
               hijacked connection depends on.
            2. Lines are ASCII and end in CR LF; a head is at most HEAD_LIMIT bytes.
Errors      Internal: the peer does not speak HTTP/1.1.
Spec        RFC 9112.
"""

from __future__ import annotations

from sampan import errors

HEAD_LIMIT = 1 << 20
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH_SAFE = _UNRESERVED | frozenset(b"/:@!$&'()*+,;=")


def quote(text: str, *, safe: frozenset[int] = _UNRESERVED) -> str:
    """Percent-encoding of RFC 3986 over UTF-8."""
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in raw)


def target(path: str, query: dict[str, str | list[str]] | None) -> str:
    """The request target; a list in `query` repeats its key, keys go in order as Go's url.Values encodes them."""
    line = quote(path, safe=_PATH_SAFE)
    pairs = [
        f"{quote(key)}={quote(one)}"
        for key, value in sorted((query or {}).items())
        for one in (value if isinstance(value, list) else [value])
    ]
    return f"{line}?{'&'.join(pairs)}" if pairs else line


def encode_head(method: str, line: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {line} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def encode_chunk(piece: bytes) -> bytes:
    """One chunk of a chunked body; an empty piece ends the body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


class Head:
    """A response's status line and header fields (names in lower case)."""

    __slots__ = ("headers", "reason", "status")

    def __init__(self, status: int, reason: str, headers: dict[str, str]) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers

    @property
    def keeps_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"

    @property
    def is_upgrade(self) -> bool:
        """The connection is the caller's now: 101, or the 200 without framing of old engines."""
        return self.status == 101


def parse_head(received: bytes | bytearray) -> tuple[Head, bytes] | None:
    """The head at the start of `received` and the bytes after it; None while it is incomplete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > HEAD_LIMIT:
            raise errors.Internal("malformed HTTP response: the header does not end")
        return None
    lines = bytes(received[:end]).decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    code, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not code.isdigit():
        raise errors.Internal(f"malformed HTTP response {lines[0][:80]!r}")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Head(int(code), reason, headers), bytes(received[end + 4 :])


class LengthBody:
    """A body of a known number of bytes."""

    __slots__ = ("finished", "leftover", "remaining_bytes")

    def __init__(self, length_bytes: int) -> None:
        self.remaining_bytes = length_bytes
        self.finished = length_bytes == 0
        self.leftover = b""

    def feed(self, received: bytes) -> list[bytes]:
        taken = received[: self.remaining_bytes]
        self.leftover += received[len(taken) :]
        self.remaining_bytes -= len(taken)
        self.finished = self.remaining_bytes == 0
        return [taken] if taken else []

    def feed_end(self) -> None:
        if not self.finished:
            raise errors.Internal(f"the response ended {self.remaining_bytes} bytes early: unexpected EOF")


class CloseBody:
    """A body that ends with the connection; also the bytes of a hijacked one."""

    __slots__ = ("finished", "leftover")

    def __init__(self) -> None:
        self.finished = False
        self.leftover = b""

    def feed(self, received: bytes) -> list[bytes]:
        return [received] if received else []

    def feed_end(self) -> None:
        self.finished = True


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1); trailer fields are read and dropped."""

    __slots__ = ("_in_trailer", "_line", "_remaining_bytes", "_skip_bytes", "finished", "leftover")

    def __init__(self) -> None:
        self._line = b""
        self._remaining_bytes = 0
        self._skip_bytes = 0
        self._in_trailer = False
        self.finished = False
        self.leftover = b""

    def feed(self, received: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        at, end = 0, len(received)
        while at < end and not self.finished:
            if self._remaining_bytes:
                piece = received[at : at + self._remaining_bytes]
                pieces.append(piece)
                at += len(piece)
                self._remaining_bytes -= len(piece)
                self._skip_bytes = 0 if self._remaining_bytes else 2
            elif self._skip_bytes:
                skipped = min(self._skip_bytes, end - at)
                at += skipped
                self._skip_bytes -= skipped
            else:
                at = self._read_line(received, at)
        self.leftover += received[at:]
        return pieces

    def feed_end(self) -> None:
        if not self.finished:
            raise errors.Internal("the response ended inside a chunk: unexpected EOF")

    def _read_line(self, received: bytes, at: int) -> int:
        newline = received.find(b"\n", at)
        if newline < 0:
            self._line += received[at:]
            if len(self._line) > HEAD_LIMIT:
                raise errors.Internal("malformed chunked encoding: the line does not end")
            return len(received)
        line = (self._line + received[at:newline]).rstrip(b"\r")
        self._line = b""
        if self._in_trailer:
            self.finished = not line
        else:
            self._open_chunk(line)
        return newline + 1

    def _open_chunk(self, line: bytes) -> None:
        size = line.partition(b";")[0].strip()
        try:
            self._remaining_bytes = int(size, 16)
        except ValueError as cause:
            raise errors.Internal(f"malformed chunked encoding: size {size[:20]!r}") from cause
        self._in_trailer = self._remaining_bytes == 0


Body = LengthBody | CloseBody | ChunkedBody


def body_of(head: Head, method: str) -> Body:
    """The decoder for the body that follows `head` (RFC 9112, 6.3)."""
    if method == "HEAD" or head.status in (204, 304):
        return LengthBody(0)
    if head.is_upgrade:
        return CloseBody()
    if "chunked" in head.headers.get("transfer-encoding", "").lower():
        return ChunkedBody()
    length = head.headers.get("content-length")
    return CloseBody() if length is None else LengthBody(int(length))
