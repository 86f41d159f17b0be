"""Decompresses a layer's bytes as they arrive, and tells by its first bytes how a stream is compressed.

A `Decoder` is fed from one thread at a time and hands its output, in pieces, to a sink that may block: that is the
back pressure. The codecs release the GIL.

Invariants  1. One feeding never holds more than `_ZSTD_FEED_BYTES` times zstd's block expansion, or `_PIECE_BYTES`, of
               output, whatever the input claims.
            2. `close()` returns only if the stream was complete and its checksums, where it has any, were right.
            3. Concatenated gzip members, xz streams, bzip2 streams and zstd frames are one stream, as in their tools.
Units       Sizes in bytes.
Errors      InvalidArgument: damaged, truncated, or expanding beyond the limits.
Spec        RFC 1952, RFC 8878; xz-file-format 1.2; image-spec v1.1, layer.md, "+gzip" and "+zstd".
"""

import bz2
import lzma
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import zstandard
from isal import igzip_lib

from sampan.errors import InvalidArgument

DETECT_BYTES = 6

# deflate cannot expand beyond 1032:1 and layers full of zeros come near it, so small ones may; what stays that hollow
# beyond this much is made to fill a disk.
RATIO_FREE_BYTES = 8 << 30
MAX_RATIO = 200
MAX_OUTPUT_BYTES = 1 << 40

_PIECE_BYTES = 1 << 20
# A zstd block of 4 bytes makes 128 KiB, and its decoder cannot be told to stop: small bites bound what one can yield.
_ZSTD_FEED_BYTES = 1024
_LZMA_MEMORY_BYTES = 512 << 20


_MAGIC = {"gzip": b"\x1f\x8b\x08", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0", "uncompressed": b""}
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"  # after a byte of 0x50 to 0x5f


_DAMAGE: tuple[type[Exception], ...] = (
    igzip_lib.error,  # type: ignore[assignment]  # its stub declares an instance
    zstandard.ZstdError,
    lzma.LZMAError,
    OSError,
    EOFError,
)


class Compression(StrEnum):
    NONE = "uncompressed"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"


def detect(prefix: bytes) -> Compression:
    """How the stream that begins with `prefix` (at least `DETECT_BYTES`, if it has as many) is compressed."""
    for compression in (Compression.GZIP, Compression.BZIP2, Compression.XZ):
        if prefix.startswith(_MAGIC[compression]):
            return compression
    is_skippable = prefix[1:4] == _ZSTD_SKIPPABLE_MAGIC and prefix[0] & 0xF0 == 0x50
    return Compression.ZSTD if is_skippable or prefix.startswith(_ZSTD_MAGIC) else Compression.NONE


class Decoder:
    """Feeds decompressed bytes to `sink`; detects the compression itself unless told."""

    def __init__(
        self,
        sink: Callable[[bytes], object],
        *,
        compression: Compression | None = None,
        max_output_bytes: int = MAX_OUTPUT_BYTES,
        max_ratio: int = MAX_RATIO,
        ratio_free_bytes: int = RATIO_FREE_BYTES,
    ) -> None:
        self.compression = compression
        self.input_bytes = 0
        self.output_bytes = 0
        self._sink = sink
        self._max_output_bytes = max_output_bytes
        self._max_ratio = max_ratio
        self._ratio_free_bytes = ratio_free_bytes
        self._prefix = b""
        self._stream: _Stream | _ZstdStream | None = None

    def write(self, chunk: bytes) -> None:
        self.input_bytes += len(chunk)
        if self.compression is None or self._prefix:
            chunk = self._prefix + chunk
            self._prefix = b""
            if self.compression is None:
                if len(chunk) < DETECT_BYTES:
                    self._prefix = chunk
                    return
                self.compression = detect(chunk)
        self._decode(chunk)

    def close(self) -> None:
        """Ends the stream; raises unless it was complete."""
        if self.compression is None:
            self.compression = detect(self._prefix)
            self._decode(self._prefix)
        if self._stream is not None and not self._stream.is_complete:
            raise InvalidArgument(f"{self.compression} stream: unexpected EOF")

    def _decode(self, chunk: bytes) -> None:
        if self.compression is None or self.compression is Compression.NONE:
            self._emit(chunk)
            return
        if self._stream is None:
            self._stream = _ZstdStream() if self.compression is Compression.ZSTD else _Stream(self.compression)
        try:
            self._stream.decode(chunk, self._emit)
        except _DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the sink's: bz2 reports damage as an OSError without a number
            raise InvalidArgument(f"{self.compression} stream: {str(error) or 'damaged'}") from error

    def _emit(self, piece: bytes) -> None:
        if not piece:
            return
        self.output_bytes += len(piece)
        if self.output_bytes > self._max_output_bytes:
            raise InvalidArgument(f"stream expands to more than {self._max_output_bytes} bytes")
        if self.output_bytes > max(self._ratio_free_bytes, self.input_bytes * self._max_ratio):
            raise InvalidArgument(f"stream expands to more than {self._max_ratio} times its size")
        self._sink(piece)


class _Member(Protocol):
    """What bz2, lzma and isal agree on: one compressed stream, which says where it ended."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


def _new_member(compression: Compression) -> _Member:
    if compression is Compression.GZIP:
        member: _Member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        return member
    if compression is Compression.BZIP2:
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_BYTES)


class _Stream:
    """Members one after another until the input ends."""

    def __init__(self, compression: Compression) -> None:
        self._compression = compression
        self._member = _new_member(compression)
        self._started = True  # the first member must be there
        self._between = b""
        self._trailing = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing: neither the rest of a member, nor of the magic of a next one."""
        magic = _MAGIC[self._compression]
        return not self._started and not (self._between and magic.startswith(self._between[: len(magic)]))

    def decode(self, chunk: bytes, emit: Callable[[bytes], None]) -> None:
        while chunk and not self._trailing:
            if not self._started:
                chunk = self._begin_member(chunk)
                if not self._started:
                    return
            member = self._member
            emit(member.decompress(chunk, _PIECE_BYTES))
            while not member.eof and not member.needs_input:
                emit(member.decompress(b"", _PIECE_BYTES))
            if not member.eof:
                return
            self._started = False
            chunk = member.unused_data

    def _begin_member(self, chunk: bytes) -> bytes:
        """Starts the next member at its first bytes; zeros between members are padding, and what else follows the last
        one is ignored, as gzip(1) does and Docker with it."""
        chunk = (self._between + chunk).lstrip(b"\0")
        self._between = b""
        if len(chunk) < DETECT_BYTES:
            self._between = chunk
        elif detect(chunk) is self._compression:
            self._member = _new_member(self._compression)
            self._started = True
        else:
            self._trailing = True
        return chunk


class _ZstdStream:
    """Frames one after another; skippable ones yield nothing."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor()
        self._frame = self._context.decompressobj(read_across_frames=False)
        self._started = True

    @property
    def is_complete(self) -> bool:
        return not self._started

    def decode(self, chunk: bytes, emit: Callable[[bytes], None]) -> None:
        view = memoryview(chunk)
        for start in range(0, len(chunk), _ZSTD_FEED_BYTES):
            bite = bytes(view[start : start + _ZSTD_FEED_BYTES])
            while bite:
                if not self._started:
                    self._frame = self._context.decompressobj(read_across_frames=False)
                    self._started = True
                emit(self._frame.decompress(bite))
                if not self._frame.eof:
                    break
                self._started = False
                bite = self._frame.unused_data
