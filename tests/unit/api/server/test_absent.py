import pytest

from fakes.api_backend import FakeBackend
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
