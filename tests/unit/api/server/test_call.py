import json

import pytest

from fakes.api_backend import FakeBackend
from support.api_serving import Client, serve


@pytest.mark.parametrize("kind", ["text/plain", "application/jsonp", "application/x-www-form-urlencoded"])
def test_a_json_body_must_be_declared_as_json(kind: str) -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask("POST", "/containers/create", b'{"Image":"i"}', Content_Type=kind)
        wanted = f"unsupported Content-Type header ({kind}): must be 'application/json'"
        assert (answer.status, json.loads(answer.body)["message"]) == (400, wanted)

    serve(check)


def test_a_charset_is_no_part_of_the_content_type() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        kind = "application/json; charset=utf-8"
        assert (await client.ask("POST", "/containers/create", b'{"Image":"i"}', Content_Type=kind)).status == 201

    serve(check)


def test_a_client_that_asks_before_sending_is_told_to_go_on() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.writer.write(
            b"POST /images/create?fromSrc=- HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        )
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.writer.write(b"tar")
        assert (await client.answer()).status == 200
        assert backend.calls[0][1] == 3

    serve(check)
