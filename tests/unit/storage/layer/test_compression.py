import bz2
import gzip
import lzma
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sampan.errors import InvalidArgument
from sampan.storage.layer.compression import Compression, Decoder, detect

ENCODERS: dict[Compression, Callable[[bytes], bytes]] = {
    Compression.NONE: bytes,
    Compression.GZIP: gzip.compress,
    Compression.BZIP2: bz2.compress,
    Compression.XZ: lzma.compress,
    Compression.ZSTD: zstandard.ZstdCompressor(write_checksum=True).compress,
}
COMPRESSED = [kind for kind in ENCODERS if kind is not Compression.NONE]
CONTENT = b"".join(b"line %d of a layer\n" % number for number in range(20_000))


def decode(stream: bytes, *, step: int = 65536, **limits: int) -> tuple[bytes, Decoder]:
    pieces: list[bytes] = []
    decoder = Decoder(pieces.append, **limits)  # type: ignore[arg-type]
    for start in range(0, len(stream), step):
        decoder.write(stream[start : start + step])
    decoder.close()
    return b"".join(pieces), decoder


@pytest.mark.parametrize("step", [1, 7, 4096, 1 << 20])
@pytest.mark.parametrize("kind", ENCODERS)
def test_each_compression_is_detected_and_undone(kind: Compression, step: int) -> None:
    content, decoder = decode(ENCODERS[kind](CONTENT), step=step)
    assert content == CONTENT
    assert decoder.compression is kind
    assert decoder.output_bytes == len(CONTENT)


@given(st.binary(max_size=2000), st.sampled_from(COMPRESSED), st.integers(1, 50))
def test_any_content_comes_back(content: bytes, kind: Compression, step: int) -> None:
    assert decode(ENCODERS[kind](content), step=step)[0] == content


@pytest.mark.parametrize("step", [1, 5, 1 << 20])
@pytest.mark.parametrize("kind", COMPRESSED)
def test_members_one_after_another_are_one_stream(kind: Compression, step: int) -> None:
    encode = ENCODERS[kind]
    assert decode(encode(b"one,") + encode(b"") + encode(b"two"), step=step)[0] == b"one,two"


@pytest.mark.parametrize("kind", COMPRESSED)
def test_truncation_is_noticed_wherever_the_kind_is_known(kind: Compression) -> None:
    stream = ENCODERS[kind](CONTENT[:3000])
    for length in range(6, len(stream)):
        with pytest.raises(InvalidArgument, match="unexpected EOF"):
            decode(stream[:length])


@pytest.mark.parametrize("kind", COMPRESSED)
def test_truncation_of_a_second_member_is_noticed(kind: Compression) -> None:
    stream = ENCODERS[kind](b"first")
    for length in (3, 4, 5, 6, 10):
        with pytest.raises(InvalidArgument):
            decode(stream + stream[:length])


@pytest.mark.parametrize("kind", COMPRESSED)
def test_damage_is_noticed(kind: Compression) -> None:
    stream = bytearray(ENCODERS[kind](CONTENT))
    stream[len(stream) // 2] ^= 0x55
    with pytest.raises(InvalidArgument, match=f"{kind} stream: "):
        decode(bytes(stream))


def test_what_follows_a_gzip_stream_is_ignored_as_docker_does() -> None:
    assert decode(gzip.compress(b"x") + bytes(1000) + b"garbage!", step=9)[0] == b"x"


def test_skippable_zstd_frames_yield_nothing() -> None:
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"
    content, decoder = decode(skippable + zstandard.compress(b"x") + skippable, step=3)
    assert (content, decoder.compression) == (b"x", Compression.ZSTD)


@pytest.mark.parametrize("stream", [b"", b"a", b"\x1f", b"plain"])
def test_a_stream_too_short_to_tell_is_plain(stream: bytes) -> None:
    content, decoder = decode(stream, step=1)
    assert (content, decoder.compression) == (stream, Compression.NONE)


def test_a_name_of_a_tar_entry_is_no_magic() -> None:
    assert detect(b"P*M\x18xx") is Compression.ZSTD
    assert detect(b"./etc/") is Compression.NONE
    assert detect(b"\x60*M\x18xx") is Compression.NONE


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_bomb_is_refused_by_its_ratio(kind: Compression) -> None:
    bomb = ENCODERS[kind](bytes(8 << 20))
    with pytest.raises(InvalidArgument, match="more than 200 times its size"):
        decode(bomb, ratio_free_bytes=1 << 20)
    assert len(decode(bomb)[0]) == 8 << 20


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_absolute_limit_holds(kind: Compression) -> None:
    with pytest.raises(InvalidArgument, match="more than 1000 bytes"):
        decode(ENCODERS[kind](CONTENT), max_output_bytes=1000)


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_bomb_never_yields_a_piece_that_fills_memory(kind: Compression) -> None:
    sizes: list[int] = []
    decoder = Decoder(lambda piece: sizes.append(len(piece)))
    decoder.write(ENCODERS[kind](bytes(64 << 20)))
    decoder.close()
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= 33 << 20


def test_an_error_of_the_sink_is_not_taken_for_damage() -> None:
    def broken(piece: bytes) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    decoder = Decoder(broken)
    with pytest.raises(BrokenPipeError):
        decoder.write(bz2.compress(b"x"))
