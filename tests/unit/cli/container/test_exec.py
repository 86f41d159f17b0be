from collections.abc import Callable
from pathlib import Path

import pytest

from support.scripted_engine import Reply, Request, ScriptedEngine, refuse, reply_json

Sampan = Callable[..., tuple[int, str, str]]


def answer(request: Request) -> Reply:
    return reply_json({"Id": "e1"}, 201) if request.path.endswith("/exec") else Reply(200)


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ("exec -d web true", {}),
        ("exec -d -u 1:2 -w /x --privileged web true", {"User": "1:2", "WorkingDir": "/x", "Privileged": True}),
        ("exec -d -e A=b -e C=d web true", {"Env": ["A=b", "C=d"]}),
        ("exec -d -t web true", {"Tty": True}),
    ],
)
def test_a_detached_exec_is_created_and_started(
    sampan: Sampan, tmp_path: Path, words: str, changed: dict[str, object]
) -> None:
    with ScriptedEngine(tmp_path, answer) as engine:
        assert sampan("-H", engine.url, *words.split()) == (0, "", "")
    create, start = (request for request in engine.requests if "exec" in request.path)
    usual = {"AttachStdin": False, "AttachStdout": False, "AttachStderr": False, "Tty": False, "Cmd": ["true"]}
    assert create.path == "/containers/web/exec"
    assert {key: value for key, value in create.json().items() if key != "ConsoleSize"} == usual | changed
    assert (start.path, start.json()["Detach"]) == ("/exec/e1/start", True)


def test_a_container_that_is_not_there_is_told(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: refuse(404, "No such container: web")) as engine:
        code, out, err = sampan("-H", engine.url, "exec", "web", "true")
    assert (code, out) == (1, "")
    assert "No such container: web" in err


def test_wrong_keys_are_refused_before_anything_is_asked(sampan: Sampan) -> None:
    code, out, err = sampan("exec", "-t", "--detach-keys", "ctrl-", "web", "true")
    assert (code, out) == (1, "")
    assert "detach keys" in err.lower()
