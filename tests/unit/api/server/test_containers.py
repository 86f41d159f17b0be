import asyncio
import json

import pytest

from fakes.api_backend import FakeBackend
from sampan.api.server.backend import AttachOptions, LogsOptions
from support.api_serving import Client, check_answer, check_refusal, filters, serve

ANSWERS = [
    ("GET", "/containers/json", b"", 200, '[{"Id":"c1"'),
    ("POST", "/containers/create?name=x", b'{"Image":"i"}', 201, '"Warnings":[]'),
    ("GET", "/containers/c1/json", b"", 200, '"Id":"c1"'),
    ("POST", "/containers/c1/start", b"", 204, ""),
    ("POST", "/containers/c1/stop?t=5", b"", 204, ""),
    ("POST", "/containers/c1/restart?t=5", b"", 204, ""),
    ("POST", "/containers/c1/kill?signal=TERM", b"", 204, ""),
    ("DELETE", "/containers/c1?force=1&v=1", b"", 204, ""),
    ("POST", "/containers/c1/resize?h=24&w=80", b"", 200, ""),
]


REFUSALS = [
    ("GET", "/containers/json?limit=x", b"", 400, 'strconv.Atoi: parsing "x": invalid syntax'),
    ("GET", "/containers/json?filters=x", b"", 400, "invalid filter"),
    ("GET", "/containers/json?" + filters(foo=["a"]), b"", 400, "invalid filter 'foo'"),
    ("POST", "/containers/create", b"", 400, "invalid JSON: got EOF while reading request body"),
    ("POST", "/containers/create", b"{}", 400, "config cannot be empty in order to create a container"),
    ("POST", "/containers/create", b"null", 400, "config cannot be empty in order to create a container"),
    ("POST", "/containers/create", b'{"Nope":1}', 400, 'invalid JSON: json: unknown field "Nope"'),
    (
        "POST",
        "/containers/create",
        b'{"Image":5}',
        400,
        "invalid JSON: json: cannot unmarshal number into Go struct field .Image of type string",
    ),
    ("GET", "/containers/nope/json", b"", 404, "No such container: nope"),
    (
        "POST",
        "/containers/c1/start",
        b'{"Binds": []}',
        400,
        "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
    ),
    ("POST", "/containers/nope/start", b"", 404, "No such container: nope"),
    ("POST", "/containers/c1/stop?t=1.5", b"", 400, 'strconv.Atoi: parsing "1.5": invalid syntax'),
    ("POST", "/containers/c1/restart?t=x", b"", 400, 'strconv.Atoi: parsing "x": invalid syntax'),
    ("POST", "/containers/nope/kill", b"", 404, "No such container: nope"),
    ("POST", "/containers/c1/wait?condition=x", b"", 400, 'invalid condition: "x"'),
    ("POST", "/containers/nope/wait", b"", 404, "No such container: nope"),
    ("GET", "/containers/c1/logs", b"", 400, "Bad parameters: you must choose at least one stream"),
    (
        "GET",
        "/containers/c1/logs?stdout=1&since=soon",
        b"",
        400,
        'failed to parse value as time or duration: "soon"',
    ),
    ("POST", "/containers/nope/attach?stream=1", b"", 404, "No such container: nope"),
    ("POST", "/containers/c1/resize?h=x&w=1", b"", 400, 'invalid resize height "x": invalid syntax'),
    ("POST", "/containers/c1/resize?h=1&w=-1", b"", 400, 'invalid resize width "-1": value out of range'),
    ("DELETE", "/containers/nope", b"", 404, "No such container: nope"),
]


@pytest.mark.parametrize(("method", "target", "body", "status", "part"), ANSWERS)
def test_endpoints_answer_as_docker_does(method: str, target: str, body: bytes, status: int, part: str) -> None:
    check_answer(method, target, body, status=status, part=part)


@pytest.mark.parametrize(("method", "target", "body", "status", "message"), REFUSALS)
def test_endpoints_refuse_in_dockers_words(method: str, target: str, body: bytes, status: int, message: str) -> None:
    check_refusal(method, target, body, status=status, message=message)


def test_the_list_gets_its_parameters_in_either_form_of_filters() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        await client.ask("GET", "/containers/json?all=True&size=0&limit=-1&" + filters(label={"a=b": True, "c": True}))
        await client.ask("GET", "/containers/json?limit=3&since=x&" + filters(label=["a=b"], status=["exited"]))
        assert backend.calls == [
            ("list", True, None, False, {"label": ["a=b", "c"]}),
            ("list", False, 3, False, {"label": ["a=b"], "status": ["exited"], "since": ["x"]}),
        ]

    serve(check)


def test_the_stop_signal_is_known_from_version_1_42_on() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        await client.ask("POST", "/v1.42/containers/c1/stop?signal=INT&t=-1")
        await client.ask("POST", "/v1.41/containers/c1/stop?signal=INT")
        assert backend.calls == [("stop", "INT", -1), ("stop", "", None)]

    serve(check)


def test_logs_stream_piece_by_piece_and_end_when_the_client_goes() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.send("GET", "/containers/c1/logs?stdout=1&follow=1&tail=5&since=1.5&timestamps=1&until=0")
        status, headers = await client.head()
        assert (status, headers["content-type"]) == (200, "application/vnd.docker.multiplexed-stream")
        assert [await client.chunk(), await client.chunk()] == [b"one", b"two"]
        wanted = LogsOptions(
            stdout=True,
            stderr=False,
            follow=True,
            timestamps=True,
            details=False,
            since_ns=1_500_000_000,
            until_ns=None,
            tail=5,
        )
        assert backend.calls == [("logs", wanted)]
        client.writer.close()
        await backend.cancelled.wait()
        await asyncio.sleep(0)
        assert backend.calls[1:] == [("logs closed",)]

    serve(check)


@pytest.mark.parametrize(("tail", "lines"), [("all", None), ("0", 0), ("-1", None), ("x", None), ("", None)])
def test_whatever_is_no_number_of_lines_means_all_lines(tail: str, lines: int | None) -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.exited.set()
        await client.ask("GET", f"/containers/c1/logs?stderr=1&tail={tail}")
        assert backend.calls[0][1].tail == lines

    serve(check)


def test_wait_answers_its_head_at_once_and_its_body_at_the_exit() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.send("POST", "/containers/c1/wait?condition=next-exit")
        assert (await client.head())[0] == 200
        assert backend.calls == [("wait", "next-exit")]
        backend.exited.set()
        assert await client.chunk() == b'{"StatusCode":3}\n'
        assert await client.chunk() == b""
        assert (await client.ask("GET", "/_ping")).status == 200

    serve(check)


def test_wait_before_version_1_30_answers_in_one_piece() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.exited.set()
        answer = await client.ask("POST", "/v1.29/containers/c1/wait?condition=ignored")
        assert (answer.status, answer.body) == (200, b'{"StatusCode":3}\n')

    serve(check)


def test_a_wait_ends_with_its_client() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.send("POST", "/containers/c1/wait")
        await client.head()
        client.writer.close()
        await backend.cancelled.wait()
        await asyncio.sleep(0)
        assert ("waiter closed",) in backend.calls

    serve(check)


def test_the_engine_gets_what_the_client_asked_for() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        await client.ask("POST", "/containers/create?name=web&platform=linux/arm64", b'{"Image":"i","Cmd":["a"]}')
        await client.ask("POST", "/containers/c1/kill")
        await client.ask("DELETE", "/containers/c1?force=1&v=0")
        await client.ask("POST", "/containers/c1/resize?h=24&w=80")
        await client.ask("POST", "/containers/c1/restart?t=5&signal=INT")
        (_, wanted), *others = backend.calls
        assert (wanted.name, wanted.platform, wanted.config.cmd) == ("web", "linux/arm64", ["a"])
        assert others == [("kill", ""), ("remove", True, False), ("resize", 24, 80), ("restart", "INT", 5)]

    serve(check)


@pytest.mark.parametrize(("flag", "size"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_sizes_are_told_only_when_asked_for(flag: str, size: bool) -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask("GET", f"/containers/c1/json?size={flag}")
        assert ("SizeRw" in json.loads(answer.body)) is size

    serve(check)


def test_an_attach_passes_its_flags_on() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.send("POST", "/containers/c1/attach?stream=1&stdin=1&stderr=1&detachKeys=ctrl-a", Upgrade="tcp")
        await client.head()
        wanted = AttachOptions(stdin=True, stdout=False, stderr=True, stream=True, logs=False, detach_keys="ctrl-a")
        assert backend.calls == [("attach", wanted)]

    serve(check)
