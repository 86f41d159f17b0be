"""Hooks as an ordinary user can have them run: /bin/sh, in this machine's own namespaces."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.runtime import hooks
from sampan.runtime.hooks import HookError

STATE = {"ociVersion": "1.2.0", "id": "c1", "status": "created", "pid": 7, "bundle": "/b", "annotations": {"a": "ü"}}
warnings: list[str] = []


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    warnings.clear()
    yield
    warnings.clear()


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}


def run(*found: dict[str, Any], kind: str = "prestart", state: dict[str, Any] = STATE, **more: Any) -> None:
    hooks.run(list(found), state, kind=kind, log=warnings.append, **more)


def failing(*found: dict[str, Any], kind: str = "prestart", **more: Any) -> HookError:
    with pytest.raises(HookError) as caught:
        run(*found, kind=kind, **more)
    return caught.value


def test_a_hook_reads_the_state_from_its_standard_input(tmp_path: Path) -> None:
    run(shell(f"cat >{tmp_path}/state"))
    assert json.loads((tmp_path / "state").read_text()) == STATE


def test_a_state_larger_than_any_pipe_stops_nobody(tmp_path: Path) -> None:
    large = STATE | {"annotations": {"a": "x" * (1 << 21)}}
    run(shell("exec true"), shell(f"wc -c >{tmp_path}/size"), state=large)
    assert int((tmp_path / "size").read_text()) > 1 << 21


def test_hooks_run_in_their_order_and_the_first_that_fails_is_the_last(tmp_path: Path) -> None:
    order = tmp_path / "order"
    error = failing(shell(f"echo 0 >>{order}"), shell("exit 3"), shell(f"echo 2 >>{order}"))
    assert str(error) == "error running prestart hook #1: exit status 3, stdout: , stderr: "
    assert error.code == 3
    assert order.read_text() == "0\n"


def test_what_a_failed_hook_has_said_stands_in_the_error() -> None:
    error = failing(shell("echo out; echo no such thing >&2; exit 1"), kind="createRuntime")
    text = "error running createRuntime hook #0: exit status 1, stdout: out\n, stderr: no such thing\n"
    assert str(error) == text


def test_a_hook_that_was_killed_says_by_which_signal() -> None:
    error = failing(shell("kill -9 $$"))
    assert str(error) == "error running prestart hook #0: signal: killed, stdout: , stderr: "
    assert error.code == -1


def test_hooks_after_the_end_are_all_run_and_their_failure_is_a_warning(tmp_path: Path) -> None:
    run(shell("exit 2"), shell(f"touch {tmp_path}/ran"), shell("exit 1"), kind="poststop")
    assert (tmp_path / "ran").exists()
    assert warnings[0].startswith("poststop hook failed with exit code: 2: error running poststop hook #0: exit status")
    assert len(warnings) == 2


def test_a_poststart_hook_that_fails_is_an_error() -> None:
    assert failing(shell("exit 1"), kind="poststart").code == 1


def test_a_program_that_is_not_there_is_named() -> None:
    error = failing({"path": "/does/not/exist"})
    assert str(error) == "error running prestart hook #0: fork/exec /does/not/exist: no such file or directory"


def test_arguments_without_sense_are_an_error() -> None:
    assert "invalid argument" in str(failing({"path": "/bin/true", "args": ["a\0b"]}))


def test_a_hook_is_not_searched_for() -> None:
    assert "no such file or directory" in str(failing({"path": "sh"}))


def test_without_arguments_the_path_is_the_only_one(tmp_path: Path) -> None:
    script = tmp_path / "hook"
    script.write_text(f'#!/bin/sh\necho "$0 $#" >{tmp_path}/said\n')
    script.chmod(0o755)
    run({"path": str(script)})
    assert (tmp_path / "said").read_text() == f"{script} 0\n"


@pytest.mark.parametrize(
    ("env", "default", "expected"),
    [
        (["A=1", "B=x=y"], None, {"A": "1", "B": "x=y"}),
        ([], None, {}),
        (None, ["C=2"], {"C": "2"}),
        ([], ["C=2"], {"C": "2"}),
        (["A=1"], ["C=2"], {"A": "1"}),
    ],
)
def test_the_environment_is_the_one_given(
    tmp_path: Path, env: list[str] | None, default: list[str] | None, expected: dict[str, str]
) -> None:
    run({"path": "/usr/bin/env", "args": ["env"], "env": env}, environment=default, state=_to(tmp_path / "env"))
    found = (tmp_path / "env").read_text().splitlines()
    assert dict(line.split("=", 1) for line in found) == expected


def test_without_one_it_is_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMPP_MARK", "here")
    run({"path": "/usr/bin/env"}, state=_to(tmp_path / "env"))
    assert "SMPP_MARK=here" in (tmp_path / "env").read_text().splitlines()


def _to(path: Path) -> dict[str, Any]:
    return STATE | {"annotations": {hooks.STDOUT_ANNOTATION: str(path)}}


def test_annotations_name_files_that_output_is_appended_to(tmp_path: Path) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    out.write_text("before\n")
    annotations = {hooks.STDOUT_ANNOTATION: str(out), hooks.STDERR_ANNOTATION: str(err)}
    run(shell("echo to out; echo to err >&2"), shell("echo again"), state=STATE | {"annotations": annotations})
    assert out.read_text() == "before\nto out\nagain\n"
    assert err.read_text() == "to err\n"


def test_an_output_file_that_cannot_be_made_is_an_error() -> None:
    error = failing(shell("true"), state=_to(Path("/does/not/exist/out")))
    assert "/does/not/exist/out: no such file or directory" in str(error)


def test_the_working_directory_is_the_one_given_and_ours_stays(tmp_path: Path) -> None:
    here = os.getcwd()
    run(shell("pwd >where"), directory=str(tmp_path))
    assert (tmp_path / "where").read_text() == f"{tmp_path}\n"
    assert os.getcwd() == here


def test_a_hook_has_its_three_descriptors_and_no_other(tmp_path: Path) -> None:
    leaked = os.open("/", os.O_PATH)
    os.set_inheritable(leaked, True)
    try:
        run(shell("echo /proc/self/fd/*"), state=_to(tmp_path / "out"))
    finally:
        os.close(leaked)
    found = [int(path.rpartition("/")[2]) for path in (tmp_path / "out").read_text().split()]
    assert found[:3] == [0, 1, 2] and leaked not in found


def test_a_hook_starts_with_the_default_signals(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        run({"path": "/bin/cat", "args": ["cat", "/proc/self/status"]}, state=_to(tmp_path / "out"))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    lines = dict(line.split(":\t", 1) for line in (tmp_path / "out").read_text().splitlines() if ":\t" in line)
    assert int(lines["SigBlk"], 16) == 0
    assert int(lines["SigIgn"], 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0


def test_a_hook_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    began = time.monotonic()
    error = failing(shell(f"sleep 60 & echo $! >{tmp_path}/pid; wait", timeout=0.2))
    assert str(error) == "error running prestart hook #0: hook ran past specified timeout of 0.2s"
    assert time.monotonic() - began < 10
    child = int((tmp_path / "pid").read_text())
    assert _is_gone(child)


def _is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        os.sched_yield()
    return False


def test_a_timeout_that_is_not_reached_changes_nothing() -> None:
    run(shell("exit 0", timeout=60))
    assert failing(shell("exit 5", timeout=60)).code == 5


def test_without_pidfds_the_timeout_works_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, flags: int = 0) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "pidfd_open", refuse)
    run(shell("exit 0", timeout=60))
    assert "timeout" in str(failing(shell("sleep 60", timeout=0.05)))


def test_a_daemon_that_a_hook_leaves_behind_neither_holds_us_nor_grows(tmp_path: Path) -> None:
    script = f"(trap '' HUP; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; echo more; echo $? >{tmp_path}/end) &"
    began = time.monotonic()
    run(shell(script))
    assert time.monotonic() - began < 5
    (tmp_path / "go").touch()
    deadline = time.monotonic() + 10
    while not (tmp_path / "end").exists() and time.monotonic() < deadline:
        os.sched_yield()
    while not (text := (tmp_path / "end").read_text()) and time.monotonic() < deadline:
        os.sched_yield()
    assert text != "0\n"


def test_who_ignores_the_ends_of_children_hears_of_this_one() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert failing(shell("exit 4")).code == 4
    finally:
        signal.signal(signal.SIGCHLD, before)
