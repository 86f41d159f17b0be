"""What goes out: heads, bodies, and streams that are closed whatever happens."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from fakes.api_backend import FakeBackend
from sampan.api.server.answers import iterating
from support.api_serving import Client, serve


def test_a_whole_answer_is_written_with_its_head_in_one_piece() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.send("GET", "/containers/nope/json")
        raw = (await client.reader.readuntil(b"}\n")).decode()
        head, _, body = raw.partition("\r\n\r\n")
        lines = head.split("\r\n")
        assert lines[0] == "HTTP/1.1 404 Not Found"
        assert f"Content-Length: {len(body)}" in lines
        assert "Api-Version: 1.51" in lines
        assert body == '{"message":"No such container: nope"}\n'

    serve(check)


def test_a_head_request_gets_the_length_but_not_the_body() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.send("HEAD", "/nowhere")
        status, headers = await client.head()
        assert (status, int(headers["content-length"]) > 0) == (404, True)
        assert (await client.ask("GET", "/_ping")).body == b"OK"

    serve(check)


def test_a_client_that_closes_afterwards_is_told_so() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask("GET", "/_ping", Connection="close")
        assert answer.headers["connection"] == "close"
        assert await client.reader.read() == b""

    serve(check)


def test_an_old_client_gets_a_stream_without_chunks_which_ends_with_the_connection() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.exited.set()
        client.writer.write(b"GET /containers/c1/logs?stdout=1 HTTP/1.0\r\nHost: d\r\n\r\n")
        _, headers = await client.head()
        assert "transfer-encoding" not in headers
        assert await client.reader.read() == b"onetwo"

    serve(check)


@pytest.mark.parametrize("is_broken_off", [False, True])
def test_a_source_is_closed_however_its_iteration_ends(is_broken_off: bool) -> None:
    closed = []

    async def source() -> AsyncGenerator[int, None]:
        try:
            for number in range(3):
                yield number
        finally:
            closed.append(True)

    async def main() -> list[int]:
        found = []
        async with iterating(source()) as numbers:
            async for number in numbers:
                found.append(number)
                if is_broken_off:
                    break
        assert closed == [True]
        return found

    assert asyncio.run(main()) == ([0] if is_broken_off else [0, 1, 2])
