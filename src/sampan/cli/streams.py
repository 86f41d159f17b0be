"""The streams of an attached process: our stdin to the engine, its output to our stdout and stderr.

Layout      Output runs in the caller (so that signals are handled), input in a thread: each direction has its own back
            pressure, and a full pipe on one side never stops the other.
Invariants  1. Memory is bounded: one read buffer each way, whatever goes through.
            2. The end of our stdin half-closes the connection; output is read to its end after that.
            3. A thread that waits for input ends with the program; it owns nothing that needs tidying.
"""

from __future__ import annotations

import _thread
import errno
import os
import select

from sampan.client.frames import STDERR, SYSTEM_ERROR, Demultiplexer
from sampan.errors import Internal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from sampan.cli.terminal import KeyWatch

READ_BYTES = 1 << 18
STDIN_BYTES = 1 << 16
MOST_PIECES = 512
SHUT_WR, SHUT_RDWR = 1, 2


class Session:
    """`tty`: the stream is raw, else in frames. `keys` watches for the detach sequence, `detached` says it came."""

    __slots__ = ("_early", "_keys", "_socket", "_tty", "detached")

    def __init__(self, socket: _socket.socket, early: bytes, *, tty: bool, keys: KeyWatch | None = None) -> None:
        self._socket = socket
        self._early = early
        self._tty = tty
        self._keys = keys
        self.detached = False

    def run(self, *, stdin_fd: int | None, stdout_fd: int | None = 1, stderr_fd: int | None = 2) -> None:
        """Until the engine ends the stream, or the user detaches."""
        if stdin_fd is not None:
            _thread.start_new_thread(self._send_input, (stdin_fd,))
        try:
            if self._tty:
                self._copy_raw(stdout_fd)
            else:
                self._copy_frames(stdout_fd, stderr_fd)
        except ConnectionResetError:
            # An engine that goes away, or our own detaching, ends the stream as its end does.
            return

    def _send_input(self, fd: int) -> None:
        try:
            while typed := os.read(fd, STDIN_BYTES):
                if self._keys is None:
                    self._socket.sendall(typed)
                    continue
                passed, self.detached = self._keys.feed(typed)
                self._socket.sendall(passed)
                if self.detached:
                    self._socket.shutdown(SHUT_RDWR)
                    return
            self._socket.shutdown(SHUT_WR)
        except OSError:
            # The process ended first: the output side sees the same end, and nobody wants this input any more.
            return

    def _copy_raw(self, stdout_fd: int | None) -> None:
        if stdout_fd is None:
            stdout_fd = os.open(os.devnull, os.O_WRONLY)
        write_all(stdout_fd, [memoryview(self._early)])
        buffer = bytearray(READ_BYTES)
        view = memoryview(buffer)
        while count := self._socket.recv_into(buffer):
            write_all(stdout_fd, [view[:count]])

    def _copy_frames(self, stdout_fd: int | None, stderr_fd: int | None) -> None:
        demultiplexer = Demultiplexer()
        write_frames(demultiplexer, memoryview(self._early), stdout_fd, stderr_fd)
        buffer = bytearray(READ_BYTES)
        view = memoryview(buffer)
        while count := self._socket.recv_into(buffer):
            write_frames(demultiplexer, view[:count], stdout_fd, stderr_fd)


def write_frames(
    demultiplexer: Demultiplexer, received: memoryview, stdout_fd: int | None, stderr_fd: int | None
) -> None:
    """Write what `received` holds; neighbouring pieces for one descriptor go in one call."""
    pieces: list[memoryview] = []
    target_fd: int | None = None
    for stream, piece in demultiplexer.feed(received):
        if stream == SYSTEM_ERROR:
            raise Internal(f"error from daemon in stream: {bytes(piece).decode('utf-8', 'replace')}")
        fd = stderr_fd if stream == STDERR else stdout_fd
        if fd != target_fd or len(pieces) == MOST_PIECES:
            if target_fd is not None:
                write_all(target_fd, pieces)
            pieces = []
        target_fd = fd
        pieces.append(piece)
    if target_fd is not None:
        write_all(target_fd, pieces)


def write_all(fd: int, pieces: list[memoryview]) -> None:
    """Every byte, also to a descriptor that its owner made non-blocking."""
    pieces = [piece for piece in pieces if len(piece)]
    while pieces:
        try:
            written = os.writev(fd, pieces)
        except OSError as failure:
            if failure.errno != errno.EAGAIN:
                raise
            select.select([], [fd], [])
            continue
        while pieces and written >= len(pieces[0]):
            written -= len(pieces.pop(0))
        if written:
            pieces[0] = pieces[0][written:]
