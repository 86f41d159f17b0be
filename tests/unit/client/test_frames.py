import struct

import pytest

from sampan.client.frames import Demultiplexer
from sampan.errors import Internal


def frame(stream: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(payload)) + payload


def collect(wire: bytes, step: int) -> dict[int, bytes]:
    demultiplexer = Demultiplexer()
    found: dict[int, bytes] = {}
    for at in range(0, len(wire), step):
        for stream, piece in demultiplexer.feed(memoryview(wire[at : at + step])):
            found[stream] = found.get(stream, b"") + bytes(piece)
    return found


@pytest.mark.parametrize("step", [1, 3, 8, 9, 1000, 1 << 20])
def test_streams_are_told_apart_however_the_bytes_are_cut(step: int) -> None:
    wire = frame(1, b"out") + frame(2, b"err") + frame(1, b"") + frame(1, b"x" * 3000) + frame(2, b"!")
    assert collect(wire, step) == {1: b"out" + b"x" * 3000, 2: b"err!"}


def test_a_payload_is_passed_on_before_its_frame_is_complete() -> None:
    demultiplexer = Demultiplexer()
    pieces = [(stream, bytes(piece)) for stream, piece in demultiplexer.feed(memoryview(frame(1, b"abcdef")[:10]))]
    assert pieces == [(1, b"ab")]


def test_a_stream_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(Internal, match="Unrecognized input header: 65"):
        list(Demultiplexer().feed(memoryview(b"A plain text that is no frame")))
