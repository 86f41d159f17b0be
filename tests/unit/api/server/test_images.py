import asyncio
import json

import pytest

from fakes.api_backend import FakeBackend
from sampan import errors
from support.api_serving import Client, check_answer, check_refusal, filters, serve

ANSWERS = [
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
]


@pytest.mark.parametrize(("method", "target", "body", "status", "part"), ANSWERS)
def test_endpoints_answer_as_docker_does(method: str, target: str, body: bytes, status: int, part: str) -> None:
    check_answer(method, target, body, status=status, part=part)


@pytest.mark.parametrize(("method", "target", "body", "status", "message"), REFUSALS)
def test_endpoints_refuse_in_dockers_words(method: str, target: str, body: bytes, status: int, message: str) -> None:
    check_refusal(method, target, body, status=status, message=message)


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


def test_the_engine_gets_what_the_client_asked_for() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        await client.ask("GET", "/images/json?all=1&" + filters(dangling={"true": True}, label=["a"]))
        await client.ask("GET", "/v1.40/images/json?filter=box")
        await client.ask("DELETE", "/images/img:1?force=1&noprune=1")
        await client.ask("POST", "/images/img/tag?repo=r")
        await client.ask("POST", "/images/create?fromSrc=-&repo=r&changes=ENV+A%3Db&changes=CMD+x", b"ab")
        *first, (name, size, wanted) = backend.calls
        assert first == [
            ("images", True, {"dangling": ["true"], "label": ["a"]}),
            ("images", False, {"reference": ["box"]}),
            ("rmi", "img:1", True, False),
            ("tag", "img", "r", ""),
        ]
        assert (name, size) == ("import", 2)
        assert wanted == {
            "repository": "r",
            "tag": "",
            "message": "Imported from -",
            "changes": ["ENV A=b", "CMD x"],
            "platform": "",
        }

    serve(check)


def test_an_archive_comes_as_a_tar_in_the_order_asked_for() -> None:
    async def check(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask("GET", "/images/get?names=img2&names=img1")
        assert answer.headers["content-type"] == "application/x-tar"
        assert answer.body == b"img2" * 1000 + b"img1" * 1000

    serve(check)
