import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.runtime import message
from sampan.runtime.launcher import helpers
from support import children

MODULE = """
from sampan import errors

def greet(fds, *, name):
    return {"text": f"hello {name}", "fds": len(fds)}

def refuse(fds):
    raise errors.NotFound("no such thing")

def break_disk(fds):
    raise OSError(28, "No space left on device")

def crash(fds):
    raise RuntimeError("a bug")

HELPERS = {"greet": greet, "refuse": refuse, "break_disk": break_disk, "crash": crash}
"""


@pytest.fixture(autouse=True)
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "helpers_of_the_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(helpers._helpers)
    helpers.register("helpers_of_the_test")
    yield
    helpers._helpers.clear()
    helpers._helpers.update(before)


def outcome(name: str, /, *fds: int, **arguments: object) -> tuple[int, dict[str, Any] | None]:
    """Run a helper in a child: its exit code and its answer."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    body = {"name": name, "arguments": arguments}
    pid = children.fork(lambda: helpers.run(body, [theirs.detach(), *fds]))
    theirs.close()
    with ours:
        found = message.receive(ours)
    return children.code(pid), found[0] if found else None


def test_a_helper_answers_with_what_it_returns() -> None:
    assert outcome("greet", 0, 1, name="you") == (0, {"ok": {"text": "hello you", "fds": 2}})


def test_an_error_of_ours_keeps_its_class() -> None:
    expected = {"error": {"class": "NotFound", "message": "no such thing", "exit_code": 0}}
    assert outcome("refuse") == (0, expected)


def test_a_refusal_of_the_kernel_is_internal() -> None:
    code, found = outcome("break_disk")
    assert code == 0 and found is not None
    assert found["error"]["class"] == "Internal" and "No space left" in found["error"]["message"]


@pytest.mark.parametrize("name", ["crash", "no_such_helper"])
def test_a_mistake_ends_the_helper_without_an_answer_and_is_logged(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert outcome(name) == (1, None)
    assert capfd.readouterr().err.startswith(f"helper {name}: ")


def test_a_helper_without_a_standard_error_still_ends_and_never_runs_on_as_the_launcher() -> None:
    def life() -> None:
        with open("/dev/full", "w") as sys.stderr:
            helpers.run({"name": "crash", "arguments": {}}, [])

    assert children.code_of(life) == 1


def test_cleaning_up_is_always_there(tmp_path: Path) -> None:
    code, found = outcome("clean_up", exec_dir=str(tmp_path / "c"), exit_path=str(tmp_path / "exit.json"), cgroup="")
    assert code == 0 and found is not None and found["ok"]["exit_code"] == 137
    assert (tmp_path / "exit.json").exists()
