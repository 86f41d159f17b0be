"""The endpoints as tables: what each answers, and what each refuses, in Docker's words."""

import asyncio
import errno
import json
from urllib.parse import quote

import pytest

from fakes.api_backend import FakeBackend
from sampan import errors
from sampan.api.server.backend import LogsOptions
from support.api_serving import Client, serve


def filters(**wanted: object) -> str:
    return "filters=" + quote(json.dumps(wanted))


ANSWERS = [
    ("GET", "/_ping", b"", 200, "OK"),
    ("OPTIONS", "/anything", b"", 200, ""),
    ("GET", "/v1.24/version", b"", 200, '"ApiVersion":"1.51"'),
    ("GET", "/info", b"", 200, '"ID":"i"'),
    ("GET", "/containers/json", b"", 200, '[{"Id":"c1"'),
    ("POST", "/containers/create?name=x", b'{"Image":"i"}', 201, '"Warnings":[]'),
    ("GET", "/containers/c1/json", b"", 200, '"Id":"c1"'),
    ("POST", "/containers/c1/start", b"", 204, ""),
    ("POST", "/containers/c1/stop?t=5", b"", 204, ""),
    ("POST", "/containers/c1/restart?t=5", b"", 204, ""),
    ("POST", "/containers/c1/kill?signal=TERM", b"", 204, ""),
    ("DELETE", "/containers/c1?force=1&v=1", b"", 204, ""),
    ("POST", "/containers/c1/resize?h=24&w=80", b"", 200, ""),
    ("POST", "/containers/c1/exec", b'{"Cmd":["true"]}', 201, '{"Id":"e'),
    ("GET", "/exec/c1/json", b"", 200, '"ID":"c1"'),
    ("POST", "/exec/c1/resize?h=24&w=80", b"", 200, ""),
    ("GET", "/images/json", b"", 200, '"Containers":2'),
    ("GET", "/images/img/json", b"", 200, '"Id":"sha256:1"'),
    ("GET", "/images/host:5000/a/b:1/json", b"", 200, '"Id":"sha256:1"'),
    ("GET", "/images/img/history", b"", 200, '"Tags":null'),
    ("POST", "/images/img/tag?repo=a&tag=b", b"", 201, ""),
    ("DELETE", "/images/img", b"", 200, '[{"Untagged":"img"}]'),
    ("GET", "/images/img/get", b"", 200, "imgimg"),
    ("GET", "/images/get?names=img1&names=img2", b"", 200, "img2"),
    ("POST", "/images/create?fromSrc=-&repo=r&tag=t", b"tar", 200, '{"status":"sha256:1"}'),
    ("POST", "/images/load?quiet=0", b"12345", 200, '{"stream":"5 False\\n"}'),
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
    ("GET", "/images/nope/json", b"", 404, "No such image: nope:latest"),
    ("GET", "/images/nope/history", b"", 404, "No such image: nope:latest"),
    ("GET", "/images/nope/get", b"", 404, "No such image: nope:latest"),
    ("GET", "/images/get?names=img&names=nope", b"", 404, "No such image: nope:latest"),
    ("GET", "/images/json?" + filters(dangling=["x"]), b"", 400, "invalid filter 'dangling=[x]'"),
    ("GET", "/images/json?" + filters(foo=["x"]), b"", 400, "invalid filter 'foo'"),
    ("POST", "/images/nope/tag?repo=a", b"", 404, "No such image: nope:latest"),
    ("POST", "/images/img/tag", b"", 400, "invalid reference format: repository name must not be empty"),
    ("DELETE", "/images/nope", b"", 404, "No such image: nope:latest"),
    ("DELETE", "/images/%20", b"", 400, "image name cannot be blank"),
    (
        "POST",
        "/images/create?fromImage=x",
        b"",
        501,
        "pull of x is not available in this version: import or load the image instead",
    ),
    (
        "POST",
        "/images/create?fromSrc=http://x/y",
        b"",
        501,
        "import from a URL is not available in this version: send the archive in the request (fromSrc=-)",
    ),
    ("GET", "/images/search?term=x", b"", 501, "search is not available in this version: it needs a registry"),
    ("POST", "/images/load?platform=a&platform=b", b"", 400, "multiple platform parameters not supported"),
    ("GET", "/events?since=20&until=10", b"", 400, "`since` time (20) cannot be after `until` time (10)"),
    ("GET", "/events?since=x", b"", 400, 'failed to parse value as time or duration: "x"'),
    ("GET", "/networks", b"", 501, "GET /networks is not available in this version of Sampan"),
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


@pytest.mark.parametrize(("method", "target", "body", "status", "part"), ANSWERS)
def test_endpoints_answer_as_docker_does(method: str, target: str, body: bytes, status: int, part: str) -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask(method, target, body)
        assert (answer.status, part in answer.body.decode()) == (status, True), answer.body
        assert answer.headers["api-version"] == "1.51"
        assert answer.headers["ostype"] == "linux"
        assert answer.headers["server"].startswith("Sampan/")
        assert ("content-length" in answer.headers) is (status != 204 and "transfer-encoding" not in answer.headers)
        assert (await client.ask("GET", "/_ping")).status == 200

    serve(check)


@pytest.mark.parametrize(("method", "target", "body", "status", "message"), REFUSALS)
def test_endpoints_refuse_in_dockers_words(method: str, target: str, body: bytes, status: int, message: str) -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask(method, target, body)
        assert (answer.status, json.loads(answer.body)) == (status, {"message": message})
        assert answer.headers["content-type"] == "application/json"
        assert (await client.ask("GET", "/_ping")).status == 200

    serve(check)


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


def test_swarm_endpoints_say_that_there_is_no_swarm() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        for target in ("/swarm", "/v1.51/nodes", "/services/x/logs", "/secrets"):
            answer = await client.ask("GET", target)
            assert (answer.status, b"not a swarm manager" in answer.body) == (503, True)

    serve(check)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (errors.InvalidArgument("m"), 400),
        (errors.Unauthenticated("m"), 401),
        (errors.PermissionDenied("m"), 403),
        (errors.NotFound("m"), 404),
        (errors.Conflict("m"), 409),
        (errors.AlreadyExists("m"), 409),
        (errors.ResourceExhausted("m"), 429),
        (errors.Internal("m"), 500),
        (errors.DataLoss("m"), 500),
        (errors.StartFailed("m", exit_code=127), 400),
        (errors.StartFailed("m", exit_code=126), 400),
        (errors.StartFailed("m", exit_code=128), 500),
        (errors.Unimplemented("m"), 501),
        (errors.Unavailable("m"), 503),
    ],
)
def test_each_class_of_error_has_its_status(failure: errors.Error, status: int) -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.failure = failure
        answer = await client.ask("POST", "/containers/c1/start")
        assert (answer.status, json.loads(answer.body)) == (status, {"message": "m"})

    serve(check)


def test_not_modified_has_no_body() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.failure = errors.NotModified("running already")
        client.send("POST", "/containers/c1/start")
        status, headers = await client.head()
        assert (status, "content-length" in headers, "content-type" in headers) == (304, False, False)
        assert (await client.ask("GET", "/_ping")).status == 200

    serve(check)


def test_a_full_disk_is_not_the_clients_fault() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.failure = errors.ResourceExhausted("no space left on device")
        backend.failure.__cause__ = OSError(errno.ENOSPC, "no space left on device")
        assert (await client.ask("POST", "/containers/c1/start")).status == 500

    serve(check)


def test_a_bug_in_the_engine_is_a_500_with_its_text() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.failure = ZeroDivisionError("by zero")
        answer = await client.ask("POST", "/containers/c1/stop")
        assert (answer.status, json.loads(answer.body)) == (500, {"message": "by zero"})

    serve(check, logged="POST /containers/c1/stop failed")


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


def test_events_stream_until_the_client_goes() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.send("GET", "/events?since=0&" + filters(unknown=["x"], type=["container"]))
        assert (await client.head())[0] == 200
        assert json.loads(await client.chunk())["Actor"] == {"ID": "1", "Attributes": {}}
        assert backend.calls == [("events", 1, None, {"unknown": ["x"], "type": ["container"]})]
        client.writer.close()
        await backend.cancelled.wait()

    serve(check)


def test_a_load_is_read_only_as_fast_as_it_is_consumed() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.load_gate = asyncio.Event()
        size_bytes = 32 << 20
        head = f"POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Length: {size_bytes}\r\n\r\n"
        client.writer.write(head.encode())
        client.writer.write(bytes(size_bytes))
        await client.head()
        await asyncio.sleep(0.05)
        assert client.writer.transport.get_write_buffer_size() > size_bytes // 2  # type: ignore[attr-defined]
        backend.load_gate.set()
        assert json.loads(await client.chunk()) == {"stream": f"{size_bytes} True\n"}

    serve(check)


def test_an_error_of_a_load_comes_in_its_stream() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        backend.failure = errors.InvalidArgument("no manifest")
        answer = await client.ask("POST", "/images/load", b"x")
        last = json.loads(answer.body.splitlines()[-1])
        assert (answer.status, last) == (200, {"errorDetail": {"message": "no manifest"}, "error": "no manifest"})

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


def test_a_start_is_carried_out_even_when_its_client_goes_away() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        for _ in range(50):
            one = await client.again()
            one.send("POST", "/containers/c1/start")
            await one.writer.drain()
            one.writer.close()
        async with asyncio.timeout(5):
            while len(backend.calls) < 50:
                await asyncio.sleep(0.001)

    serve(check)


def test_garbage_is_answered_and_the_connection_closed() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        client.writer.write(b"\x16\x03\x01 not http\r\n\r\n")
        assert b"400 Bad Request" in await client.reader.read()

    serve(check)
