"""Where an HTTP/1.1 request ends in a stream of bytes. No I/O.

What follows a request that asks for the connection (attach, exec) belongs to the container, not to the HTTP parser; the
parser must not even see it. This finds the border without interpreting anything else.
"""

import re

_LENGTH = re.compile(rb"\r?\ncontent-length[ \t]*:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r?\ntransfer-encoding[ \t]*:[^\r\n]*chunked", re.IGNORECASE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class RequestEnd:
    """Feed it a request's bytes in order; `complete` once the last one was seen."""

    __slots__ = ("_body_left_bytes", "_chunked", "_line", "_seen", "_state", "complete")

    def __init__(self) -> None:
        self.complete = False
        self._seen = b""
        self._state = "head"
        self._body_left_bytes = 0
        self._chunked = False
        self._line = b""

    def take(self, received: bytes) -> int:
        """How many bytes at the start of `received` belong to the request."""
        at = 0
        while at < len(received) and not self.complete:
            step = getattr(self, f"_take_{self._state}")
            at += step(received[at:])
        return at

    def _take_head(self, received: bytes) -> int:
        before = len(self._seen)
        self._seen += received
        end = _HEAD_END.search(self._seen, max(0, before - 3))
        if end is None:
            return len(received)
        head = self._seen[: end.end()]
        length = _LENGTH.search(head)
        if _CHUNKED.search(head):
            self._chunked = True
            self._state = "chunk_size"
        elif length and int(length[1]):
            self._state, self._body_left_bytes = "body", int(length[1])
        else:
            self.complete = True
        self._seen = b""
        return end.end() - before

    def _take_body(self, received: bytes) -> int:
        taken = min(len(received), self._body_left_bytes)
        self._body_left_bytes -= taken
        if not self._body_left_bytes:
            if self._chunked:
                self._state = "chunk_size"
            else:
                self.complete = True
        return taken

    def _take_chunk_size(self, received: bytes) -> int:
        taken, line = self._take_line(received)
        if line:
            digits = line.split(b";")[0].strip()
            try:
                size_bytes = int(digits, 16)
            except ValueError:
                self.complete = True  # the parser refuses the request at this place
                return taken
            self._body_left_bytes = size_bytes + 2
            self._state = "body" if size_bytes else "trailer"
        return taken

    def _take_trailer(self, received: bytes) -> int:
        taken, line = self._take_line(received)
        if line in (b"\r\n", b"\n"):
            self.complete = True
        return taken

    def _take_line(self, received: bytes) -> tuple[int, bytes]:
        """Bytes taken, and the whole line when its end was among them."""
        end = received.find(b"\n") + 1
        self._line += received[: end or len(received)]
        if not end:
            return len(received), b""
        line, self._line = self._line, b""
        return end, line
