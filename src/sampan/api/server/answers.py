"""Answers: whole ones, written in one piece, and streams, flushed piece by piece.

A whole answer bypasses aiohttp's response classes: its head is formatted here and leaves with the body in one write,
which is most of what a short request costs. Streams are aiohttp's, with chunked encoding and back pressure.
"""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TypeVar

from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse

from sampan import __version__
from sampan.api.wire.gojson import encode

T = TypeVar("T")

API_VERSION = "1.51"
SERVER = f"Sampan/{__version__} (linux)"
JSON = "application/json"
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"

_ALWAYS = f"Api-Version: {API_VERSION}\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: {SERVER}\r\nDate: "
_BODILESS = frozenset({204, 304})
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_DRAIN_ABOVE_BYTES = 64 * 1024


class Answer(StreamResponse):
    """A whole answer. `headers` are complete lines, each with its line end."""

    def __init__(self, status: int, body: bytes = b"", *, content_type: str = "", extra_headers: str = "") -> None:
        self.whole_status = status
        self.body = body
        self.content_type_line = f"Content-Type: {content_type}\r\n" if content_type else ""
        self.extra_headers = extra_headers
        self.keeps_alive = False

    @property
    def keep_alive(self) -> bool | None:
        return self.keeps_alive

    async def prepare(self, request: BaseRequest) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("client went away")
        status, body = self.whole_status, self.body
        self.keeps_alive = request.keep_alive
        connection = "" if self.keeps_alive else "Connection: close\r\n"
        length = "" if status in _BODILESS else f"Content-Length: {len(body)}\r\n"
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\n{_ALWAYS}{rfc822_formatted_time()}\r\n"
            f"{self.content_type_line}{self.extra_headers}{connection}{length}\r\n"
        ).encode("latin-1")
        transport.write(head if request.method == "HEAD" else head + body)
        if len(body) > _DRAIN_ABOVE_BYTES:
            await request.protocol._drain_helper()

    async def write_eof(self, data: bytes = b"") -> None:
        return


def json_answer(value: object, *, status: int = 200) -> Answer:
    return Answer(status, encode(value) + b"\n", content_type=JSON)


def no_content(status: int = 204) -> Answer:
    return Answer(status)


def message_answer(status: int, message: str) -> Answer:
    return Answer(status, encode({"message": message}) + b"\n", content_type=JSON)


async def open_stream(request: BaseRequest, content_type: str) -> StreamResponse:
    """Status 200 and the head, sent at once; then `write` pieces, each flushed."""
    stream = StreamResponse(
        status=200,
        headers={
            "Api-Version": API_VERSION,
            "Docker-Experimental": "false",
            "Ostype": "linux",
            "Server": SERVER,
            "Content-Type": content_type,
        },
    )
    if request.version >= HttpVersion11:
        stream.enable_chunked_encoding()
    else:
        stream.force_close()
    await stream.prepare(request)
    return stream


@asynccontextmanager
async def iterating(source: AsyncIterable[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Its iterator, which is closed at the end: a subscription or a file must not wait for the garbage collector."""
    iterator = aiter(source)
    try:
        yield iterator
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


async def pour(request: BaseRequest, content_type: str, source: AsyncIterable[bytes]) -> StreamResponse:
    """Stream all pieces of `source`, each flushed."""
    async with iterating(source) as pieces:
        stream = await open_stream(request, content_type)
        async for piece in pieces:
            await stream.write(piece)
    return stream
