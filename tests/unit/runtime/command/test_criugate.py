import os
import subprocess
from typing import Any

import pytest

from sampan.runtime.command.criugate import Gate


def action(gate: Gate, name: str) -> "subprocess.Popen[bytes]":
    """The script, as CRIU runs it."""
    script = gate.words()[1]
    return subprocess.Popen([script], env=os.environ | {"CRTOOLS_SCRIPT_ACTION": name, "CRTOOLS_INIT_PID": "4242"})


def ended(gate: Gate, child: "subprocess.Popen[bytes]", hooks: Any) -> int:
    status = gate.attend(child.pid, hooks)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode


def test_without_hooks_nobody_is_asked(tmp_path: Any) -> None:
    gate = Gate(str(tmp_path), is_wanted=False)
    assert gate.words() == [] and os.listdir(tmp_path) == []
    with subprocess.Popen(["false"]) as child:
        assert ended(gate, child, None) == 1


def test_hooks_run_when_the_namespaces_are_there(tmp_path: Any) -> None:
    gate = Gate(str(tmp_path), is_wanted=True)
    seen: list[int] = []
    with action(gate, "setup-namespaces") as child:
        assert ended(gate, child, seen.append) == 0
    assert seen == [4242]
    assert gate.failure is None


def test_other_questions_are_answered_by_the_script(tmp_path: Any) -> None:
    gate = Gate(str(tmp_path), is_wanted=True)
    with action(gate, "network-lock") as child:
        assert ended(gate, child, pytest.fail) == 0


def test_a_failing_hook_makes_criu_give_up(tmp_path: Any) -> None:
    def fail(pid: int) -> None:
        raise OSError("no luck")

    gate = Gate(str(tmp_path), is_wanted=True)
    with action(gate, "setup-namespaces") as child:
        assert ended(gate, child, fail) == 1
    assert str(gate.failure) == "no luck"
