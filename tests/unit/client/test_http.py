import pytest

from sampan.client import http
from sampan.errors import Internal


def test_a_head_is_parsed_once_it_is_complete() -> None:
    text = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nX: a: b\r\n\r\nrest"
    for cut in range(text.index(b"\r\n\r\n") + 4):
        assert http.parse_head(text[:cut]) is None
    parsed = http.parse_head(text)
    assert parsed is not None
    head, rest = parsed
    assert (head.status, head.reason, rest) == (404, "Not Found", b"rest")
    assert head.headers == {"content-type": "text/plain", "x": "a: b"}


@pytest.mark.parametrize("text", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * (http.HEAD_LIMIT + 1)])
def test_what_is_not_http_is_refused(text: bytes) -> None:
    with pytest.raises(Internal, match="malformed HTTP response"):
        http.parse_head(text)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_a_chunked_body_comes_out_the_same_however_it_is_cut(step: int) -> None:
    payload = bytes(range(256)) * 3
    wire = b"".join(http.encode_chunk(payload[at : at + 100]) for at in range(0, len(payload), 100))
    wire = wire.replace(b"64\r\n", b"64;name=value\r\n", 1) + b"0\r\nTrailer: x\r\n\r\nnext"
    body = http.ChunkedBody()
    pieces: list[bytes] = []
    for at in range(0, len(wire), step):
        pieces += body.feed(wire[at : at + step])
    assert b"".join(pieces) == payload
    assert (body.finished, body.leftover) == (True, b"next")


def test_a_chunked_body_that_stops_inside_a_chunk_is_an_error() -> None:
    body = http.ChunkedBody()
    assert body.feed(b"5\r\nab") == [b"ab"]
    with pytest.raises(Internal, match="unexpected EOF"):
        body.feed_end()


def test_a_chunk_size_that_is_no_number_is_refused() -> None:
    with pytest.raises(Internal, match="size b'zz'"):
        http.ChunkedBody().feed(b"zz\r\n")


def test_a_body_of_known_length_keeps_what_follows_it() -> None:
    body = http.LengthBody(4)
    assert body.feed(b"ab") == [b"ab"]
    assert body.feed(b"cdef") == [b"cd"]
    assert (body.finished, body.leftover) == (True, b"ef")


def test_a_body_that_ends_early_is_an_error() -> None:
    body = http.LengthBody(4)
    body.feed(b"ab")
    with pytest.raises(Internal, match="2 bytes early"):
        body.feed_end()


@pytest.mark.parametrize(
    ("status", "headers", "method", "kind"),
    [
        (200, {"content-length": "3"}, "GET", http.LengthBody),
        (200, {"transfer-encoding": "chunked"}, "GET", http.ChunkedBody),
        (200, {}, "GET", http.CloseBody),
        (101, {"content-length": "3"}, "POST", http.CloseBody),
        (204, {"transfer-encoding": "chunked"}, "POST", http.LengthBody),
        (200, {"content-length": "3"}, "HEAD", http.LengthBody),
    ],
)
def test_the_framing_follows_status_headers_and_method(
    status: int, headers: dict[str, str], method: str, kind: type
) -> None:
    assert type(http.body_of(http.Head(status, "", headers), method)) is kind


def test_a_target_is_quoted_and_its_query_sorted() -> None:
    query: dict[str, str | list[str]] = {"t": "a b&c=é", "names": ["x/y:1", "z"]}
    assert http.target("/images/a b/json", query) == "/images/a%20b/json?names=x%2Fy%3A1&names=z&t=a%20b%26c%3D%C3%A9"


def test_a_request_head_is_lines_of_fields() -> None:
    assert http.encode_head("GET", "/x", {"Host": "h"}) == b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
