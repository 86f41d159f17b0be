from collections.abc import Callable
from pathlib import Path

import pytest

from support.scripted_engine import Reply, Request, ScriptedEngine, refuse, reply_json

Sampan = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("words", "method", "path", "query"),
    [
        ("stop a", "POST", "/containers/a/stop", {}),
        ("stop -s INT -t 0 a", "POST", "/containers/a/stop", {"signal": ["INT"], "t": ["0"]}),
        ("restart -t -1 a", "POST", "/containers/a/restart", {"t": ["-1"]}),
        ("kill -s HUP a", "POST", "/containers/a/kill", {"signal": ["HUP"]}),
        ("kill a", "POST", "/containers/a/kill", {}),
        ("rm -fv a", "DELETE", "/containers/a", {"force": ["1"], "v": ["1"]}),
        ("rm /a", "DELETE", "/containers/a", {}),
    ],
)
def test_a_verb_asks_the_engine_and_prints_the_name(
    sampan: Sampan, tmp_path: Path, words: str, method: str, path: str, query: dict[str, list[str]]
) -> None:
    with ScriptedEngine(tmp_path, lambda _: Reply(204)) as engine:
        name = words.split()[-1]
        assert sampan("-H", engine.url, *words.split()) == (0, f"{name}\n", "")
    asked = [request for request in engine.requests if request.path.startswith("/containers")]
    assert [(request.method, request.path, request.query) for request in asked] == [(method, path, query)]


def test_one_failure_does_not_keep_the_others_from_their_turn(sampan: Sampan, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        return refuse(404, "No such container: b") if "/b/" in request.path else Reply(204)

    with ScriptedEngine(tmp_path, answer) as engine:
        code, out, err = sampan("-H", engine.url, "stop", "a", "b", "c")
    assert (code, out) == (1, "a\nc\n")
    assert "No such container: b" in err


def test_a_container_that_does_not_run_counts_as_stopped(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: Reply(304)) as engine:
        assert sampan("-H", engine.url, "stop", "a") == (0, "a\n", "")


def test_what_is_not_there_needs_no_forcing_to_go(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: refuse(404, "No such container: a")) as engine:
        code, out, err = sampan("-H", engine.url, "rm", "-f", "a")
        assert (code, out) == (0, "")
        assert "No such container: a" in err
        assert sampan("-H", engine.url, "rm", "a")[0] == 1
        assert "container name cannot be empty" in sampan("-H", engine.url, "rm", "/")[2]


def test_wait_prints_the_exit_codes_in_order(sampan: Sampan, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        codes = {"/containers/a/wait": 3, "/containers/c/wait": 0}
        code = codes.get(request.path)
        return refuse(404, "No such container: b") if code is None else reply_json({"StatusCode": code})

    with ScriptedEngine(tmp_path, answer) as engine:
        code, out, err = sampan("-H", engine.url, "wait", "a", "b", "c")
    assert (code, out) == (1, "3\n0\n")
    assert "No such container: b" in err
