import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from support.scripted_engine import Reply, Request, ScriptedEngine, reply_json

Sampan = Callable[..., tuple[int, str, str]]


def frame(stream: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(payload)) + payload


def log_of(content: bytes, *, tty: bool) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        if request.path == "/containers/web/json":
            return reply_json({"Id": "c1", "Config": {"Tty": tty}})
        return Reply(200, content)

    return answer


@pytest.mark.parametrize(
    ("content", "tty", "out", "err"),
    [(frame(1, b"one\n") + frame(2, b"two\n"), False, "one\n", "two\n"), (b"\x01raw\n", True, "\x01raw\n", "")],
)
def test_streams_go_where_they_belong(
    sampan: Sampan, tmp_path: Path, content: bytes, tty: bool, out: str, err: str
) -> None:
    with ScriptedEngine(tmp_path, log_of(content, tty=tty)) as engine:
        assert sampan("-H", engine.url, "logs", "web") == (0, out, err)
    (request,) = [request for request in engine.requests if request.path.endswith("/logs")]
    assert request.path == "/containers/c1/logs"
    assert request.query == {"stdout": ["1"], "stderr": ["1"], "tail": ["all"]}


def test_flags_become_parameters(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, log_of(b"", tty=True)) as engine:
        words = ("logs", "-f", "-t", "--details", "-n", "5", "--since", "100", "--until", "200", "web")
        assert sampan("-H", engine.url, *words)[0] == 0
        code, _, err = sampan("-H", engine.url, "logs", "--since", "soon", "web")
    assert engine.requests[-1].path == "/containers/web/json"
    query = next(request.query for request in engine.requests if request.path.endswith("/logs"))
    wanted = {"follow": ["1"], "timestamps": ["1"], "details": ["1"], "tail": ["5"], "since": ["100"], "until": ["200"]}
    assert wanted.items() <= query.items()
    assert (code, 'invalid value for "since"' in err) == (1, True)
