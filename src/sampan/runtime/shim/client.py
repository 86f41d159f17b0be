"""One attached client: a socket that gets a process's output and may give its input.

Format      framed: an 8-byte header (stream 1 or 2, three zeros, length as big-endian uint32) before each piece of
            output (Engine API, "Attach to a container", "Stream format"); else raw bytes. Input is raw either way.
"""

import os
from struct import pack

from sampan.runtime.request import AttachStream
from sampan.runtime.shim.loop import GONE, IN, OUT, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_BYTES = 1 << 16
STREAM_CODES = {"stdout": 1, "stderr": 2}


class Client:
    """Sends what it can at once and keeps the rest; `pending_bytes` is for whoever slows the source down."""

    __slots__ = (
        "_is_input_open",
        "_is_input_wanted",
        "_loop",
        "_matched",
        "_on_input",
        "_on_writable",
        "_pending",
        "fd",
        "is_open",
        "pending_bytes",
        "stream",
    )

    def __init__(
        self,
        loop: Loop,
        stream: AttachStream,
        on_input: "Callable[[Client, bytes], None]",
        on_writable: "Callable[[], None]",
    ) -> None:
        self._loop = loop
        self.stream = stream
        self.fd = stream.fd
        self._on_input = on_input
        self._on_writable = on_writable
        self._pending: list[bytes] = []
        self.pending_bytes = 0
        self.is_open = True
        self._is_input_open = True
        self._is_input_wanted = True
        self._matched = b""
        os.set_blocking(self.fd, False)
        loop.watch(self.fd, IN, self._ready)

    def wants(self, name: str) -> bool:
        """Whether output of "stdout" or "stderr" is for this client."""
        return self.stream.stdout if name == "stdout" else self.stream.stderr

    def send(self, name: str, piece: bytes) -> None:
        """Queue one piece of output and write what the socket takes."""
        parts = [pack(">BxxxI", STREAM_CODES[name], len(piece)), piece] if self.stream.framed else [piece]
        self._pending += parts
        self.pending_bytes += sum(map(len, parts))
        if len(self._pending) == len(parts):
            self._write()

    def _write(self) -> None:
        try:
            while self._pending:
                done = os.writev(self.fd, self._pending[:64])
                self.pending_bytes -= done
                while self._pending and done >= len(self._pending[0]):
                    done -= len(self._pending.pop(0))
                if done:
                    self._pending[0] = self._pending[0][done:]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._rewatch()

    def want_input(self, *, wanted: bool) -> None:
        """Stop or go on reading what the client sends (the process's input is full, or has room again)."""
        if self.is_open and wanted != self._is_input_wanted:
            self._is_input_wanted = wanted
            self._rewatch()

    def _rewatch(self) -> None:
        events = (OUT if self._pending else 0) | (IN if self._is_input_open and self._is_input_wanted else 0)
        self._loop.watch(self.fd, events, self._ready)

    def _ready(self, events: int) -> None:
        if events & IN:
            self._read()
        if self.is_open and events & OUT:
            self._write()
            self._on_writable()
        elif self.is_open and events & GONE and not events & IN:
            self.close()
            self._on_writable()

    def _read(self) -> None:
        try:
            piece = os.read(self.fd, PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            self._on_writable()
            return
        if not piece:
            self._is_input_open = False
            self._rewatch()
        self.input(piece)

    def input(self, piece: bytes) -> None:
        """Take bytes from the client (b"": it has half-closed); the detach keys end the attachment."""
        if self.stream.detach_keys and piece:
            piece = self._without_detach_keys(piece)
            if not piece:
                return
        if self.stream.stdin:
            self._on_input(self, piece)

    def _without_detach_keys(self, piece: bytes) -> bytes:
        keys, passed = self.stream.detach_keys, bytearray()
        for number in piece:
            self._matched += bytes((number,))
            if self._matched == keys:
                self.close()
                self._on_writable()
                break
            while self._matched and not keys.startswith(self._matched):
                passed += self._matched[:1]
                self._matched = self._matched[1:]
        return bytes(passed)

    def close(self) -> None:
        """Drop the connection with whatever is unsent."""
        if self.is_open:
            self.is_open = False
            self._pending, self.pending_bytes = [], 0
            self._loop.unwatch(self.fd)
            os.close(self.fd)
