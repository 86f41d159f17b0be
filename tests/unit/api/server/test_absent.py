import pytest

from fakes.api_backend import FakeBackend
from sampan.api.server import absent
from support.api_serving import Client, check_refusal, serve

REFUSALS = [
    ("POST", "/auth", b"{}", 501, "POST /auth is not available in this version of Sampan"),
    ("POST", "/build", b"", 501, "POST /build is not available in this version of Sampan"),
    (
        "GET",
        "/distribution/a/b/json",
        b"",
        501,
        "GET /distribution/{name}/json is not available in this version of Sampan",
    ),
]


@pytest.mark.parametrize(("method", "target", "body", "status", "message"), REFUSALS)
def test_endpoints_refuse_in_dockers_words(method: str, target: str, body: bytes, status: int, message: str) -> None:
    check_refusal(method, target, body, status=status, message=message)


def test_swarm_endpoints_say_that_there_is_no_swarm() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        for target in ("/swarm", "/v1.51/nodes", "/services/x/logs", "/secrets"):
            answer = await client.ask("GET", target)
            assert (answer.status, b"not a swarm manager" in answer.body) == (503, True)

    serve(check)


def test_every_route_refuses_with_a_reason() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        for route in absent.ROUTES:
            answer = await client.ask(route.method, route.pattern.replace("{ref*}", "a/b").replace("{ref}", "a"))
            assert answer.status in (501, 503), route
            if route.method != "HEAD":
                assert "available" in str(answer.body) or "swarm manager" in str(answer.body)
        assert backend.calls == []

    serve(check)
