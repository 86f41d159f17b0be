import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.scripted_engine import Reply, Request, ScriptedEngine, refuse, reply_json

Capture = pytest.CaptureFixture[str]


Sampan = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["foo"], 1, "sampan: unknown command: sampan foo\n\nRun 'sampan --help' for more information\n"),
        (
            ["container", "foo"],
            1,
            "sampan: unknown command: sampan container foo\n\nUsage:  sampan container\n\n"
            "Run 'sampan container --help' for more information\n",
        ),
        (
            ["--foo", "ps"],
            125,
            "unknown flag: --foo\n\nUsage:  sampan [OPTIONS] COMMAND [ARG...]\n\n"
            "Run 'sampan --help' for more information\n",
        ),
        (
            ["ps", "extra"],
            1,
            "sampan: 'sampan ps' accepts no arguments\n\nUsage:  sampan ps [OPTIONS]\n\n"
            "Run 'sampan ps --help' for more information\n",
        ),
        (
            ["rm"],
            1,
            "sampan: 'sampan rm' requires at least 1 argument\n\n"
            "Usage:  sampan rm [OPTIONS] CONTAINER [CONTAINER...]\n\nSee 'sampan rm --help' for more information\n",
        ),
        (
            ["tag", "a"],
            1,
            "sampan: 'sampan tag' requires 2 arguments\n\n"
            "Usage:  sampan tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\n"
            "Run 'sampan tag --help' for more information\n",
        ),
        (
            ["run", "--memory=x", "img"],
            125,
            'invalid argument "x" for "-m, --memory" flag: invalid size: \'x\'\n\n'
            "Usage:  sampan run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'sampan run --help' for more information\n",
        ),
        (["help", "foo"], 1, "unknown help topic: foo\n"),
        (["--log-level", "foo", "ps"], 1, "Unable to parse logging level: foo\n"),
        (["-H", "a", "-H", "b", "ps"], 1, "Specify only one -H\n"),
    ],
)
def test_mistakes_are_told_as_docker_tells_them(sampan: Sampan, words: list[str], code: int, text: str) -> None:
    assert sampan(*words) == (code, "", text)


def test_help_goes_to_stdout_when_asked_for_and_to_stderr_when_not(sampan: Sampan) -> None:
    asked, bare = sampan("--help"), sampan()
    assert asked == (0, bare[2], "")
    assert bare[0:2] == (0, "")
    assert sampan("help", "rm") == sampan("rm", "--help")
    code, out, _ = sampan("ps", "-h")
    assert (code, out.splitlines()[0]) == (0, "Flag shorthand -h has been deprecated, use --help")


def test_an_engine_that_is_not_there_is_named(sampan: Sampan) -> None:
    message = "Cannot connect to the Sampan daemon at unix:///nonexistent/engine.sock. Is the sampan daemon running?"
    assert sampan("ps") == (1, "", message + "\n")
    assert sampan("run", "x") == (125, "", f"sampan: {message}\n\nRun 'sampan run --help' for more information\n")


def test_sampan_host_goes_before_docker_host_and_a_flag_before_both(
    sampan: Sampan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    assert "nonexistent/engine.sock" in sampan("ps")[2]
    assert "nonexistent/flag.sock" in sampan("-H", "unix:///nonexistent/flag.sock", "ps")[2]
    monkeypatch.delenv("SAMPAN_HOST")
    assert "nonexistent/docker.sock" in sampan("ps")[2]


def test_the_results_that_came_are_printed_before_the_errors(
    sampan: Sampan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: Request) -> Reply:
        return refuse(404, "No such container: b") if "/b" in request.path else Reply(204)

    with ScriptedEngine(tmp_path, answer) as fake:
        monkeypatch.setenv("SAMPAN_HOST", fake.url)
        assert sampan("stop", "-t", "0", "a", "b", "c") == (
            1,
            "a\nc\n",
            "Error response from daemon: No such container: b\n",
        )
        assert {request.query["t"][0] for request in fake.requests if "stop" in request.path} == {"0"}


def test_rm_forced_says_what_is_missing_and_does_not_fail(
    sampan: Sampan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedEngine(tmp_path, lambda _: refuse(404, "No such container: x")) as fake:
        monkeypatch.setenv("SAMPAN_HOST", fake.url)
        assert sampan("rm", "-f", "x") == (0, "", "Error response from daemon: No such container: x\n")
        assert sampan("rm", "x") == (1, "", "Error response from daemon: No such container: x\n")


def test_inspect_shows_the_engines_own_text_indented(
    sampan: Sampan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/images/web/json":
            return Reply(200, b'{"Id":"sha256:1","A":"\\u003c","E":[]}', {"Content-Type": "application/json"})
        return refuse(404, "no")

    with ScriptedEngine(tmp_path, answer) as fake:
        monkeypatch.setenv("SAMPAN_HOST", fake.url)
        shown = '[\n    {\n        "Id": "sha256:1",\n        "A": "\\u003c",\n        "E": []\n    }\n]\n'
        assert sampan("inspect", "web") == (0, shown, "")
        assert sampan("inspect", "web", "x") == (1, shown, "Error: No such object: x\n")
        assert sampan("inspect", "-f", "{{.Id}}", "web") == (0, "sha256:1\n", "")
        assert sampan("inspect", "-f", "{{.Id", "web")[0] == 64


def test_a_missing_image_is_pulled_and_the_container_created_again(
    sampan: Sampan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled: list[Request] = []

    def answer(request: Request) -> Reply:
        if request.path == "/images/create":
            pulled.append(request)
            lines = [{"status": "Pulling from web", "id": "1"}, {"status": "x", "progressDetail": {"current": 1}}]
            return Reply(200, "\r\n".join(map(json.dumps, lines)).encode(), {"Content-Type": "application/json"})
        if not pulled:
            return refuse(404, "No such image: web:latest")
        return reply_json({"Id": "abc", "Warnings": ["careful"]}, 201)

    with ScriptedEngine(tmp_path, answer) as fake:
        monkeypatch.setenv("SAMPAN_HOST", fake.url)
        code, out, err = sampan("create", "--name", "n", "web")
    assert (code, out) == (0, "abc\n")
    assert err == "Unable to find image 'web:latest' locally\n1: Pulling from web\nWARNING: careful\n"
    assert pulled[0].query == {"fromImage": ["web"], "tag": ["latest"]}
    assert fake.requests[-1].query == {"name": ["n"]}


def test_an_import_streams_its_file_and_shows_the_new_id(
    sampan: Sampan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root.tar").write_bytes(b"x" * 3_000_000)
    with ScriptedEngine(tmp_path, lambda _: reply_json({"status": "sha256:1"})) as fake:
        monkeypatch.setenv("SAMPAN_HOST", fake.url)
        words = ["import", "-c", "CMD a", "-m", "msg", str(tmp_path / "root.tar"), "web:1"]
        assert sampan(*words) == (0, "sha256:1\n", "")
        assert len(fake.requests[-1].body) == 3_000_000
        query = {"fromSrc": ["-"], "repo": ["web:1"], "message": ["msg"], "changes": ["CMD a"]}
        assert fake.requests[-1].query == query


def test_a_saved_image_replaces_its_file_only_when_complete(
    sampan: Sampan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [Reply(200, b"5\r\nhello\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"})]
    broken = Reply(200, b"5\r\nhel", {"Transfer-Encoding": "chunked"}, lambda _: None)
    target = tmp_path / "image.tar"
    with ScriptedEngine(tmp_path, lambda _: replies.pop(0)) as fake:
        monkeypatch.setenv("SAMPAN_HOST", fake.url)
        assert sampan("save", "-o", str(target), "a", "b") == (0, "", "")
        assert (target.read_bytes(), fake.requests[-1].query) == (b"hello", {"names": ["a", "b"]})
        replies.append(broken)
        assert sampan("save", "-o", str(target), "a") == (1, "", "the response ended inside a chunk: unexpected EOF\n")
        assert (target.read_bytes(), len(list(tmp_path.iterdir()))) == (b"hello", 2)
