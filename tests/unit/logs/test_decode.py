"""Reading a log gives a client the bytes that the process wrote, in frames, whichever way the block is decoded."""

import json
import struct

from hypothesis import given
from hypothesis import strategies as st

from sampan.logs.decode import Decoder, Headers, Selection, parse_entry, parse_time_ns
from sampan.logs.jsonfile import Encoder, timestamp

NOW_NS = 1_767_323_045_123_456_789
SECOND_NS = 1_000_000_000
NOW = b"2026-01-02T03:04:05.123456789Z"


def frames(multiplexed: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(multiplexed):
        stream, length = struct.unpack_from(">BxxxI", multiplexed, at)
        found.append((stream, multiplexed[at + 8 : at + 8 + length]))
        assert len(found[-1][1]) == length
        at += 8 + length
    return found


def block(*chunks: tuple[str, bytes], step_ns: int = 0) -> bytes:
    encoders = {"stdout": Encoder("stdout"), "stderr": Encoder("stderr")}
    out, now_ns = [], NOW_NS
    for stream, chunk in chunks:
        out.append(encoders[stream].feed(chunk, now_ns))
        now_ns += step_ns
    out.extend(encoder.flush(now_ns) for encoder in encoders.values())
    return b"".join(out)


def decode(encoded: bytes, **selection: object) -> bytes:
    return Decoder(Selection(**selection)).decode(encoded)  # type: ignore[arg-type]


texts = st.lists(
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
    | st.sampled_from(
        [b"\n", b"\\", b"\\n", b'"', b"\\\\\n", b"\x1b[31mred\n", b'","stream":"stderr","time":"', b"\\u0041\n"]
    )
)


@given(texts)
def test_decoding_undoes_encoding(chunks: list[bytes]) -> None:
    encoded = block(*(("stdout", chunk) for chunk in chunks))
    raw = b"".join(chunks)
    assert decode(encoded, tty=True) == raw
    assert b"".join(text for _, text in frames(decode(encoded))) == raw


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=20).map(lambda b: b + b"\n"))))
def test_both_ways_of_decoding_agree(chunks: list[tuple[str, bytes]]) -> None:
    encoded = block(*chunks, step_ns=1)
    for options in ({}, {"timestamps": True}, {"stdout": False}, {"stderr": False}, {"tty": True}):
        decoder = Decoder(Selection(**options))
        assert decoder.decode(encoded) == b"".join(decoder._decode_exactly(encoded))


def test_lines_of_the_writer_take_the_quick_way() -> None:
    encoded = block(("stdout", b'plain\n"quoted"\n\ttab \\ \xe2\x80\xa8\n'), ("stderr", b"\n"))
    assert Decoder(Selection())._decode_quick(encoded) is not None


def test_every_entry_is_a_frame_of_its_own() -> None:
    encoded = block(("stdout", b"a\nb\n"), ("stderr", b"c\n"))
    assert frames(decode(encoded)) == [(1, b"a\n"), (1, b"b\n"), (2, b"c\n")]


def test_a_stream_can_be_left_out() -> None:
    encoded = block(("stdout", b"a\n"), ("stderr", b"c\n"), ("stdout", b"unfinished"))
    assert frames(decode(encoded, stdout=False)) == [(2, b"c\n")]
    assert frames(decode(encoded, stderr=False)) == [(1, b"a\n"), (1, b"unfinished")]
    assert decode(block(("stdout", b"a\n")), stdout=False) == b""


def test_timestamps_stand_before_each_entry() -> None:
    assert decode(block(("stdout", b"a\nb\n")), timestamps=True, tty=True) == NOW + b" a\n" + NOW + b" b\n"


def test_since_and_until_are_inclusive_bounds() -> None:
    encoded = block(*(("stdout", b"%d\n" % n) for n in range(5)), step_ns=SECOND_NS)
    shown = decode(encoded, tty=True, since_ns=NOW_NS + SECOND_NS, until_ns=NOW_NS + 3 * SECOND_NS)
    assert shown == b"1\n2\n3\n"
    assert decode(encoded, tty=True, since_ns=NOW_NS + 5 * SECOND_NS) == b""
    assert decode(encoded, tty=True, until_ns=NOW_NS - 1) == b""


def test_nothing_comes_after_the_first_entry_behind_until() -> None:
    decoder = Decoder(Selection(until_ns=NOW_NS, tty=True))
    assert decoder.decode(block(("stdout", b"a\n"), ("stdout", b"b\n"), step_ns=1)) == b"a\n"
    assert decoder.ended
    assert decoder.decode(block(("stdout", b"c\n"))) == b""


def test_details_show_attributes_and_a_space_even_without_any() -> None:
    encoder = Encoder("stdout", attrs=b'{"b":"x y","a":"1"}')
    assert decode(encoder.feed(b"text\n", NOW_NS), details=True, tty=True) == b"a=1,b=x+y text\n"
    assert decode(block(("stdout", b"text\n")), details=True, timestamps=True, tty=True) == NOW + b"  text\n"


def test_a_torn_line_costs_only_itself() -> None:
    encoded = block(("stdout", b"a\n")) + b'{"log":"torn\n' + block(("stdout", b"b\n")) + b'{"log":"unfin'
    assert decode(encoded, tty=True) == b"a\nb\n"
    assert decode(b"\n" + block(("stdout", b"b\n")), tty=True) == b"b\n"
    assert decode(b'{"log":"torn', tty=True) == b""


def test_files_of_other_writers_are_read() -> None:
    foreign = b'{"log":"\\ud83d\\ude00 \\ud83d\\/\\n","stream":"stderr","time":"2026-01-02T03:04:05.12Z"}\n'
    assert frames(decode(foreign, timestamps=True)) == [
        (2, b"2026-01-02T03:04:05.120000000Z " + "😀 \ufffd/\n".encode())
    ]
    spaced = json.dumps({"stream": "stdout", "time": NOW.decode(), "log": "é\n"}).encode() + b"\n"
    assert decode(spaced, tty=True) == "é\n".encode()


def test_an_escaped_backslash_before_an_n_at_the_end_of_a_part_is_no_newline() -> None:
    encoded = block(("stdout", b"a\n" * 3 + b"part\\n"))
    assert decode(encoded, tty=True) == b"a\n" * 3 + b"part\\n"


def test_what_is_no_entry_is_none() -> None:
    for line in (
        b"[]",
        b"3",
        b"{}",
        b'{"log":3,"stream":"stdout","time":"x"}',
        b"\xff",
        b'{"log":"a","stream":"other"}',
    ):
        assert parse_entry(line) is None


@given(st.integers(0, 4_000_000_000 * SECOND_NS))
def test_times_survive_writing_and_reading(time_ns: int) -> None:
    assert parse_time_ns(timestamp(time_ns).decode()) == time_ns


def test_the_header_table_stays_small() -> None:
    headers = Headers(2)
    assert headers[1 << 20] == b"\2\0\0\0\0\x10\0\0"
    assert headers[3] == b"\2\0\0\0\0\0\0\3"
    assert list(headers) == [3]
