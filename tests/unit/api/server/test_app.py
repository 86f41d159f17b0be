"""Requests that no endpoint sees, and what holds for all endpoints."""

import asyncio
import json

import pytest

from fakes.api_backend import FakeBackend
from support.api_serving import Client, check_answer, check_refusal, serve

ANSWERS = [
    ("OPTIONS", "/anything", b"", 200, ""),
]


REFUSALS = [
    ("GET", "/", b"", 404, "page not found"),
    ("GET", "/v1.51", b"", 404, "page not found"),
    ("GET", "/v1.51/nonexistent", b"", 404, "page not found"),
    ("POST", "/_ping", b"", 404, "page not found"),
    ("PUT", "/info", b"", 404, "page not found"),
    ("GET", "/vx/info", b"", 404, "page not found"),
    ("GET", "/v1.52/info", b"", 400, "client version 1.52 is too new. Maximum supported API version is 1.51"),
    ("GET", "/v2.0/info", b"", 400, "client version 2.0 is too new. Maximum supported API version is 1.51"),
    (
        "GET",
        "/v1.23/info",
        b"",
        400,
        "client version 1.23 is too old. Minimum supported API version is 1.24, "
        "please upgrade your client to a newer version",
    ),
]


@pytest.mark.parametrize(("method", "target", "body", "status", "part"), ANSWERS)
def test_endpoints_answer_as_docker_does(method: str, target: str, body: bytes, status: int, part: str) -> None:
    check_answer(method, target, body, status=status, part=part)


@pytest.mark.parametrize(("method", "target", "body", "status", "message"), REFUSALS)
def test_endpoints_refuse_in_dockers_words(method: str, target: str, body: bytes, status: int, message: str) -> None:
    check_refusal(method, target, body, status=status, message=message)


def test_a_bug_in_the_engine_is_a_500_with_its_text() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.failure = ZeroDivisionError("by zero")
        answer = await client.ask("POST", "/containers/c1/stop")
        assert (answer.status, json.loads(answer.body)) == (500, {"message": "by zero"})

    serve(check, logged="POST /containers/c1/stop failed")


def test_a_start_is_carried_out_even_when_its_client_goes_away() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        for _ in range(50):
            one = await client.again()
            one.send("POST", "/containers/c1/start")
            await one.writer.drain()
            one.writer.close()
        async with asyncio.timeout(30):
            while len(backend.calls) < 50:
                await asyncio.sleep(0.001)

    serve(check)


def test_garbage_is_answered_and_the_connection_closed() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.writer.write(b"\x16\x03\x01 not http\r\n\r\n")
        assert b"400 Bad Request" in await client.reader.read()

    serve(check)
