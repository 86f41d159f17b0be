"""Docker's multiplexed stream: a container's stdout and stderr over one connection.

Layout      Each frame is 8 bytes of header and its payload:
                +--------+---+---+---+-------------------+
                | stream | 0 | 0 | 0 | length, 4 bytes BE|   stream: 0 stdin, 1 stdout, 2 stderr, 3 engine's error
                +--------+---+---+---+-------------------+
Invariants  1. A payload is passed on as it arrives, never collected: memory stays bounded by the read buffer.
Errors      Internal: a stream number that does not exist (the stream is raw, or out of step).
"""

from __future__ import annotations

from sampan import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_BYTES = 8
STDOUT, STDERR, SYSTEM_ERROR = 1, 2, 3


class Demultiplexer:
    __slots__ = ("_header", "_remaining_bytes", "_stream")

    def __init__(self) -> None:
        self._header = b""
        self._stream = 0
        self._remaining_bytes = 0

    def feed(self, received: memoryview) -> Iterator[tuple[int, memoryview]]:
        """The payload pieces in `received`, each with its stream; they are views and die with the buffer."""
        at, end = 0, len(received)
        while at < end:
            if not self._remaining_bytes:
                wanted = HEADER_BYTES - len(self._header)
                self._header += bytes(received[at : at + wanted])
                at += wanted
                if len(self._header) < HEADER_BYTES:
                    return
                self._open(self._header)
                self._header = b""
                continue
            piece = received[at : at + self._remaining_bytes]
            at += len(piece)
            self._remaining_bytes -= len(piece)
            yield self._stream, piece

    def _open(self, header: bytes) -> None:
        self._stream = header[0]
        if self._stream > SYSTEM_ERROR:
            raise errors.Internal(f"Unrecognized input header: {self._stream}")
        self._remaining_bytes = int.from_bytes(header[4:], "big")
