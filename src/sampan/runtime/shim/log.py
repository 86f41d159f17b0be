"""A container's log as the shim keeps it: the file is opened when there is something to write.

Most containers of a crowd say nothing, and what the shim has not touched costs no memory.
"""

import sys

from sampan.logs.writer import LogFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Log:
    """`LogFile` by its settings ({"path", "max_size" bytes, "max_file"}); one that cannot be opened loses the log."""

    __slots__ = ("_file", "_is_lost", "_settings")

    def __init__(self, settings: "dict[str, Any]") -> None:
        self._settings = settings
        self._file: LogFile | None = None
        self._is_lost = False

    def write(self, stream: str, chunk: bytes, time_ns: int) -> None:
        if self._file is None:
            self._open()
        if self._file is not None:
            self._file.write(stream, chunk, time_ns)

    def _open(self) -> None:
        if self._is_lost:
            return
        settings = self._settings
        try:
            self._file = LogFile(settings["path"], settings.get("max_size") or 0, settings.get("max_file") or 1)
        except OSError as error:
            # A container must not die of its log; the launcher's own log tells why there is none.
            self._is_lost = True
            sys.stderr.write(f"no log {settings['path']}: {error.strerror}\n")
            sys.stderr.flush()

    def flush(self, stream: str, time_ns: int) -> None:
        if self._file is not None:
            self._file.flush(stream, time_ns)

    def close(self, time_ns: int) -> None:
        if self._file is not None:
            self._file.close(time_ns)
