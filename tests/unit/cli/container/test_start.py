from collections.abc import Callable
from pathlib import Path

from support.scripted_engine import Reply, Request, ScriptedEngine, refuse

Sampan = Callable[..., tuple[int, str, str]]


def test_those_that_start_are_printed_and_those_that_do_not_are_told(sampan: Sampan, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        return {"/containers/a/start": Reply(204), "/containers/b/start": Reply(304)}.get(
            request.path, refuse(404, "No such container: c")
        )

    with ScriptedEngine(tmp_path, answer) as engine:
        code, out, err = sampan("-H", engine.url, "start", "a", "c", "b")
    assert (code, out) == (1, "a\nb\n")
    assert "No such container: c" in err
    assert "failed to start containers: c" in err


def test_only_one_can_be_attached_to(sampan: Sampan) -> None:
    code, out, err = sampan("start", "-a", "a", "b")
    assert (code, out) == (1, "")
    assert "you cannot start and attach multiple containers at once" in err
