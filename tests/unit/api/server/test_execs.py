import json

import pytest

from fakes.api_backend import FakeBackend
from support.api_serving import Client, check_answer, check_refusal, serve

ANSWERS = [
    ("POST", "/containers/c1/exec", b'{"Cmd":["true"]}', 201, '{"Id":"e'),
    ("GET", "/exec/c1/json", b"", 200, '"ID":"c1"'),
    ("POST", "/exec/c1/resize?h=24&w=80", b"", 200, ""),
]


REFUSALS = [
    ("POST", "/containers/c1/exec", b"", 400, "No exec command specified"),
    ("POST", "/containers/c1/exec", b"{}", 400, "No exec command specified"),
    (
        "POST",
        "/containers/c1/exec",
        b'{"Cmd":5}',
        400,
        "invalid JSON: json: cannot unmarshal number into Go struct field ExecOptions.Cmd of type []string",
    ),
    ("POST", "/exec/nope/start", b"{}", 404, "No such exec instance: nope"),
    ("GET", "/exec/nope/json", b"", 404, "No such exec instance: nope"),
    ("POST", "/exec/c1/resize", b"", 400, 'invalid resize height "": invalid syntax'),
]


@pytest.mark.parametrize(("method", "target", "body", "status", "part"), ANSWERS)
def test_endpoints_answer_as_docker_does(method: str, target: str, body: bytes, status: int, part: str) -> None:
    check_answer(method, target, body, status=status, part=part)


@pytest.mark.parametrize(("method", "target", "body", "status", "message"), REFUSALS)
def test_endpoints_refuse_in_dockers_words(method: str, target: str, body: bytes, status: int, message: str) -> None:
    check_refusal(method, target, body, status=status, message=message)


@pytest.mark.parametrize(
    ("version", "tty", "size"), [("1.51", True, (24, 80)), ("1.41", True, None), ("1.51", False, None)]
)
def test_the_size_of_a_console_counts_with_a_terminal_and_from_version_1_42_on(
    version: str, tty: bool, size: tuple[int, int] | None
) -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        body = {"Cmd": ["a"], "Tty": tty, "ConsoleSize": [24, 80]}
        await client.ask("POST", f"/v{version}/containers/c1/exec", json.dumps(body).encode())
        del body["Cmd"]
        client.send("POST", f"/v{version}/exec/c1/start", json.dumps(body).encode(), Upgrade="tcp")
        await client.head()
        (_, config), started = backend.calls
        assert config.console_size == size
        assert started == ("exec start", tty, size)

    serve(check)


def test_a_detached_start_waits_for_no_stream() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        assert (await client.ask("POST", "/exec/c1/start", b'{"Detach":true}')).status == 200
        await client.ask("POST", "/exec/c1/resize?h=1&w=2")
        assert backend.calls == [("exec detached",), ("exec resize", 1, 2)]

    serve(check)
