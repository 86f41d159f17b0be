import json

import pytest

from fakes.api_backend import FakeBackend
from support.api_serving import Client, check_answer, check_refusal, filters, serve

ANSWERS = [
    ("GET", "/_ping", b"", 200, "OK"),
    ("GET", "/v1.24/version", b"", 200, '"ApiVersion":"1.51"'),
    ("GET", "/info", b"", 200, '"ID":"i"'),
]


REFUSALS = [
    ("GET", "/events?since=20&until=10", b"", 400, "`since` time (20) cannot be after `until` time (10)"),
    ("GET", "/events?since=x", b"", 400, 'failed to parse value as time or duration: "x"'),
]


@pytest.mark.parametrize(("method", "target", "body", "status", "part"), ANSWERS)
def test_endpoints_answer_as_docker_does(method: str, target: str, body: bytes, status: int, part: str) -> None:
    check_answer(method, target, body, status=status, part=part)


@pytest.mark.parametrize(("method", "target", "body", "status", "message"), REFUSALS)
def test_endpoints_refuse_in_dockers_words(method: str, target: str, body: bytes, status: int, message: str) -> None:
    check_refusal(method, target, body, status=status, message=message)


def test_head_ping_has_the_headers_of_ping_and_no_body() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        for method in ("HEAD", "GET"):
            answer = await client.ask(method, "/_ping")
            wanted = {
                "api-version": "1.51",
                "builder-version": "2",
                "cache-control": "no-cache, no-store, must-revalidate",
                "docker-experimental": "false",
                "swarm": "inactive",
                "content-length": "0" if method == "HEAD" else "2",
            }
            assert wanted.items() <= answer.headers.items()

    serve(check)


def test_events_stream_until_the_client_goes() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.send("GET", "/events?since=0&" + filters(unknown=["x"], type=["container"]))
        assert (await client.head())[0] == 200
        assert json.loads(await client.chunk())["Actor"] == {"ID": "1", "Attributes": {}}
        assert backend.calls == [("events", 1, None, {"unknown": ["x"], "type": ["container"]})]
        client.writer.close()
        await backend.cancelled.wait()

    serve(check)


@pytest.mark.parametrize(("query", "bounds"), [("", (None, None)), ("since=0&until=9", (1, 9_000_000_000))])
def test_no_bound_is_not_the_same_as_a_bound_of_nothing(query: str, bounds: tuple[int | None, int | None]) -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.send("GET", f"/events?{query}")
        await client.head()
        await client.chunk()
        assert backend.calls == [("events", *bounds, {})]

    serve(check)
