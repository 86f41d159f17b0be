"""The log of one container on disk: a json-file that is appended to and rotated.

Layout      <path>           the newest entries (Docker's name: containers/<id>/<id>-json.log)
            <path>.1 ... .N  older ones, N = max_file - 1 the oldest; a file keeps its inode when it is renamed,
                             which is how a reader that has it open follows (engine.logs)
Invariants  1. A file ends at a line end, but for a crash or a full disk in the middle of a write; the next write then
               begins with a line end, so that only the torn entry is lost.
            2. A file is left at the first line end at or after max_size_bytes; nothing is written to it afterwards.
            3. A writer that is made anew (another shim) goes on where the file ends.
Units       Bytes; nanoseconds of the Unix epoch.
Errors      The constructor raises OSError. `write` does not: a full disk must not stop a container. What could not
            be written is counted in `lost_bytes` (encoded bytes).
"""

import os

from sampan.logs.jsonfile import STREAMS, Encoder

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class LogFile:
    """Append-only writer of both streams; use from one thread. `max_size_bytes` 0 or less means unlimited."""

    __slots__ = ("_encoders", "_fd", "_max_file", "_max_size_bytes", "_path", "_size_bytes", "_torn", "lost_bytes")

    def __init__(self, path: str, max_size_bytes: int = 0, max_file: int = 1, *, attrs: bytes = b"") -> None:
        self._path = path
        self._max_size_bytes = max_size_bytes
        self._max_file = max_file
        self._encoders = {stream: Encoder(stream, attrs=attrs) for stream in STREAMS}
        self._torn = False
        self.lost_bytes = 0
        self._fd = os.open(path, _FLAGS, 0o640)
        self._size_bytes = os.fstat(self._fd).st_size
        if self._size_bytes:
            self._torn = not _ends_line(path, self._size_bytes)

    def write(self, stream: str, chunk: bytes, time_ns: int) -> None:
        """Record what a process printed on `stream`; lines appear in the file as soon as they are whole."""
        self._append(self._encoders[stream].feed(chunk, time_ns))

    def flush(self, stream: str, time_ns: int) -> None:
        """Record an unfinished last line: `stream` has ended."""
        self._append(self._encoders[stream].flush(time_ns))

    def close(self, time_ns: int) -> None:
        """Flush both streams and close; safe to call twice."""
        if self._fd < 0:
            return
        for stream in STREAMS:
            self.flush(stream, time_ns)
        os.close(self._fd)
        self._fd = -1

    def _append(self, entries: bytes) -> None:
        if self._max_size_bytes <= 0:
            self._put(entries)
            return
        at = 0
        while at < len(entries):
            room = self._max_size_bytes - self._size_bytes
            if room <= 0:
                self._rotate()
                room = self._max_size_bytes
            end = entries.find(b"\n", at + room - 1) + 1 or len(entries)
            self._put(entries[at:end])
            at = end

    def _put(self, entries: bytes) -> None:
        if not entries:
            return
        view = memoryview(b"\n" + entries if self._torn else entries)
        try:
            while view:
                written = os.write(self._fd, view)
                self._size_bytes += written
                self._torn = True
                view = view[written:]
            self._torn = False
        except OSError:
            self.lost_bytes += len(view)

    def _rotate(self) -> None:
        """Shift the files by one and begin a new one.

        A reader may look at any moment: names are shifted oldest first, so none is ever overwritten by a newer file,
        and with max_file 1 the new file replaces the old by rename, so who has the old one open can still finish it.
        """
        aside = self._path + ".new"
        try:
            fd = os.open(aside, _FLAGS | os.O_TRUNC, 0o640)
        except OSError:
            # No room or no descriptor for a new file: the old one grows until there is.
            return
        for n in range(self._max_file - 1, 0, -1):
            try:
                os.rename(f"{self._path}.{n - 1}" if n > 1 else self._path, f"{self._path}.{n}")
            except FileNotFoundError:
                continue
        os.rename(aside, self._path)
        os.close(self._fd)
        self._fd = fd
        self._size_bytes = 0
        self._torn = False


def _ends_line(path: str, size_bytes: int) -> bool:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(fd, 1, size_bytes - 1) == b"\n"
    finally:
        os.close(fd)
