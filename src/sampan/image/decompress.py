"""A compressed file read as if it were plain: pulls what `storage.layer.compression` pushes.

Errors      InvalidArgument: a damaged or truncated stream.
"""

from collections import deque
from typing import Protocol

from sampan.storage.layer.compression import Compression, Decoder

_READ_BYTES = 1 << 18


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Decompressed:
    """The plain bytes of a source, whatever it is compressed with."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pieces: deque[memoryview] = deque()
        self._decoder = Decoder(lambda piece: self._pieces.append(memoryview(piece)))
        self._is_complete = False

    @property
    def compression(self) -> Compression:
        """Known once something was read."""
        return self._decoder.compression or Compression.NONE

    def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer; 0 at the end."""
        while not self._pieces:
            if self._is_complete:
                return 0
            self._pull()
        piece = self._pieces.popleft()
        size = min(len(piece), len(buffer))
        buffer[:size] = piece[:size]
        if size < len(piece):
            self._pieces.appendleft(piece[size:])
        return size

    def read(self, size: int = _READ_BYTES) -> bytes:
        """Some of the bytes, at most `size`; none at the end."""
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def _pull(self) -> None:
        chunk = self._source.read(_READ_BYTES)
        if chunk:
            self._decoder.write(chunk)
        else:
            self._decoder.close()
            self._is_complete = True
