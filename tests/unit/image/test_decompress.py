import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import pytest
import zstandard

from sampan import errors
from sampan.image.decompress import Decompressed
from sampan.storage.layer.compression import Compression

TEXT = bytes(range(256)) * 5000


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
@pytest.mark.parametrize("size", [100, 70_000, 1 << 22])
def test_the_plain_bytes_come_out_in_pieces_of_any_size(compress: Callable[[bytes], bytes], size: int) -> None:
    plain = Decompressed(io.BytesIO(compress(TEXT)))
    found = []
    while piece := plain.read(size):
        assert len(piece) <= size
        found.append(piece)
    assert b"".join(found) == TEXT
    assert plain.read() == b""


def test_the_compression_is_known_once_something_was_read() -> None:
    plain = Decompressed(io.BytesIO(gzip.compress(TEXT)))
    assert plain.compression is Compression.NONE
    plain.read(1)
    assert plain.compression is Compression.GZIP


def test_nothing_is_nothing() -> None:
    assert Decompressed(io.BytesIO(b"")).read() == b""


@pytest.mark.parametrize("damage", [lambda text: text[:-20], lambda text: text[:-6] + b"000000"])
def test_damage_is_told_at_the_latest_at_the_end(damage: Callable[[bytes], bytes]) -> None:
    plain = Decompressed(io.BytesIO(damage(gzip.compress(TEXT))))
    with pytest.raises(errors.InvalidArgument):
        while plain.read():
            pass
