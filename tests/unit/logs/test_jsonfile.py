"""What a process prints is in its log, byte for byte, as entries that Docker's tools can read."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sampan.logs.jsonfile import PART_BYTES, Encoder, escape, timestamp

NOW_NS = 1_767_323_045_123_456_789
NOW = "2026-01-02T03:04:05.123456789Z"


def entries(encoded: bytes) -> list[dict[str, Any]]:
    assert encoded.endswith(b"\n") or not encoded
    return [json.loads(line) for line in encoded.decode().split("\n")[:-1]]


def encode(*chunks: bytes, stream: str = "stdout") -> bytes:
    encoder = Encoder(stream)
    return b"".join(encoder.feed(chunk, NOW_NS) for chunk in chunks) + encoder.flush(NOW_NS)


def go_text(raw: bytes) -> str:
    """What a stream reads like in its log: U+FFFD for what is not UTF-8."""
    return raw.decode("utf-8", "replace")


def test_an_entry_is_byte_for_byte_dockers() -> None:
    raw = b'a"b\\c\t\x01\b\f\x1b <>& \xe2\x80\xa8x\xe2\x80\xa9 \xff\xfe bad \xed\xa0\x80 '
    raw += b"\x7f \xc3\xa9 \xf0\x9f\x98\x80 \0\r\n"
    # As Docker 28.5 wrote it.
    expected = (
        r'{"log":"a\"b\\c\u0009\u0001\u0008\u000c\u001b \u003c\u003e\u0026 \u2028x\u2029 \ufffd\ufffd bad '
        r"\ufffd\ufffd\ufffd " + "\x7f é 😀 " + r'\u0000\r\n","stream":"stdout","time":"' + NOW + '"}\n'
    )
    assert encode(raw) == expected.encode()


def test_a_timestamp_always_has_nine_decimals() -> None:
    assert timestamp(NOW_NS) == NOW.encode()
    assert timestamp(1_767_323_045_000_000_000) == b"2026-01-02T03:04:05.000000000Z"


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"\n", b"\\", b'"', b"\xe2\x80", b'"}\n{"log":"'])))
def test_entries_joined_give_back_the_stream_however_it_was_split(chunks: list[bytes]) -> None:
    found = "".join(entry["log"] for entry in entries(encode(*chunks)))
    assert found == go_text(b"".join(chunks))


@given(st.text(max_size=200))
def test_escaping_is_json(text: str) -> None:
    raw = text.encode("utf-8", "replace")
    assert json.loads('"' + escape(raw).decode().replace("\n", "\\n") + '"') == raw.decode()


@given(st.text(alphabet='"\\}{:,\nlogstreamtd', max_size=100))
def test_output_cannot_forge_an_entry(text: str) -> None:
    raw = text.encode()
    found = entries(encode(raw))
    assert len(found) == raw.count(b"\n") + (not raw.endswith(b"\n") and raw != b"")
    assert {entry["stream"] for entry in found} <= {"stdout"}


def test_a_line_shows_up_when_its_newline_does() -> None:
    encoder = Encoder("stderr")
    assert encoder.feed(b"half", NOW_NS) == b""
    assert entries(encoder.feed(b" line\nrest", NOW_NS)) == [{"log": "half line\n", "stream": "stderr", "time": NOW}]
    assert entries(encoder.flush(NOW_NS)) == [{"log": "rest", "stream": "stderr", "time": NOW}]
    assert encoder.flush(NOW_NS) == b""


def test_a_long_line_is_cut_as_docker_cuts_it() -> None:
    lengths = [len(entry["log"]) for entry in entries(encode(b"y\nz", b"q" * 40000 + b"\n", b"tail"))]
    assert lengths == [2, PART_BYTES, PART_BYTES, 40002 - 2 * PART_BYTES, 4]


def test_a_line_that_fills_a_part_exactly_leaves_its_newline_to_the_next() -> None:
    assert [len(e["log"]) for e in entries(encode(b"q" * PART_BYTES + b"\n"))] == [PART_BYTES, 1]
    assert [len(e["log"]) for e in entries(encode(b"q" * (PART_BYTES - 1) + b"\n"))] == [PART_BYTES]


@given(st.integers(0, 3), st.sampled_from(["é", "€", "😀", "x"]), st.lists(st.integers(1, 9000), max_size=5))
def test_no_character_is_cut_in_two(offset: int, char: str, cuts: list[int]) -> None:
    raw = b"x" * offset + char.encode() * 9000 + b"\n"
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(raw[at : at + cut])
        at += cut
    found = entries(encode(*pieces, raw[at:]))
    assert "".join(entry["log"] for entry in found).encode() == raw
    assert all(len(entry["log"].encode()) <= PART_BYTES for entry in found)


def test_a_long_line_of_no_text_at_all_still_ends_in_parts() -> None:
    raw = b"\x80" * (PART_BYTES * 3)
    assert [len(entry["log"]) for entry in entries(encode(raw))] == [PART_BYTES] * 3


def test_attributes_are_in_every_entry() -> None:
    encoder = Encoder("stdout", attrs=b'{"service":"web"}')
    found = entries(encoder.feed(b"a\nb\n", NOW_NS))
    assert [entry["attrs"] for entry in found] == [{"service": "web"}] * 2
