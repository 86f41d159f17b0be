import json
import os
import signal
import socket
from pathlib import Path

import pytest

from sampan.runtime.request import AttachStream
from sampan.runtime.shim.foreign import shim as module
from support.foreignshim import World


def test_a_container_runs_and_its_record_is_written_before_anybody_hears_of_the_end(world: World) -> None:
    world.runtime.program("init", "echo out; echo err >&2; exit 3")
    world.launch()
    started = world.ask("start")["ok"]
    assert started["pid"] == world.shim._first.pid > 0
    told = world.heard()
    assert told == {"event": "exit", "record": world.record()}
    assert world.is_clean()
    assert (told["record"]["exit_code"], told["record"]["started_at_ns"]) == (3, started["started_at_ns"])
    assert sorted(world.logged()) == [("stderr", "err\n"), ("stdout", "out\n")]
    assert world.runtime.verbs() == ["create", "start", "delete"]
    world.until_left()


def test_the_runtime_is_told_where_everything_is(world: World) -> None:
    world.launch()
    world.ask("start")
    folder = str(world.exec_dir)
    assert world.runtime.calls()[0] == ["create", "--bundle", folder, "--pid-file", f"{folder}/init.pid", "c1"]
    state = json.loads((world.exec_dir / "state.json").read_text())
    assert (state["pid"], state["shim_pid"]) == (os.getpid(), os.getpid())
    assert state["runtime"] == world.runtime.setting and state["id"] == "c1"
    assert world.heard()["event"] == "exit"


def test_a_start_before_the_container_is_made_waits_for_it(world: World) -> None:
    number = world.send("start")
    world.turn()
    world.launch()
    assert world.heard()["seq"] == number
    assert world.heard()["event"] == "exit"


def test_a_container_that_ends_before_its_start_is_answered_ends_after_the_answer(world: World) -> None:
    world.runtime.path.write_text(
        world.runtime.path.read_text().replace('"$state/gate";;', '"$state/gate"; sleep 0.2;;', 1)
    )
    world.launch()
    world.until(lambda: world.shim._is_ready)
    assert "ok" in world.ask("start")
    assert world.heard()["record"]["exit_code"] == 0


def test_a_failed_create_is_the_answer_to_start_and_leaves_nothing(world: World) -> None:
    world.runtime.fail("create", "executable file not found in PATH")
    world.launch()
    error = world.ask("start")["error"]
    assert error["class"] == "StartFailed" and error["exit_code"] == 127
    assert error["message"].endswith("OCI runtime create failed: executable file not found in PATH")
    assert world.is_clean() and not world.exit_path.exists()
    assert world.runtime.verbs() == ["create", "delete"]
    world.until_left()


def test_what_a_failing_runtime_writes_is_no_output_of_the_container(world: World) -> None:
    text = world.runtime.path.read_text().replace("verb=$1; shift\n", "verb=$1; shift\necho noise >&2\n", 1)
    world.runtime.path.write_text(text)
    world.runtime.fail("create", "no")
    far, near = socket.socketpair()
    stream = AttachStream(near.fileno(), stdin=False, stdout=True, stderr=True, framed=False)
    world.ask("attach", near.fileno(), stream=stream.to_json())
    near.close()
    world.launch()
    assert "error" in world.ask("start")
    assert far.recv(100) == b""
    far.close()


def test_a_failure_before_anybody_asked_is_kept_for_who_asks(world: World) -> None:
    world.runtime.fail("create", "no")
    world.launch()
    world.until(world.is_clean)
    assert world.ask("start")["error"]["message"].endswith(": no")
    world.until_left()


def test_a_failed_start_ends_what_was_created(world: World) -> None:
    world.runtime.fail("start", "cannot")
    world.launch()
    error = world.ask("start")["error"]
    assert error["message"].endswith("OCI runtime start failed: cannot") and error["exit_code"] == 128
    world.until(lambda: world.shim._first.exit_code is not None)
    assert world.is_clean()


def test_a_pid_that_is_not_the_shims_child_is_refused(world: World) -> None:
    world.runtime.path.write_text(
        world.runtime.path.read_text().replace('>"$pidfile";;\nstart', '; echo 1 >"$pidfile";;\nstart')
    )
    world.launch()
    assert "error" in world.ask("start")
    assert world.is_clean()


def test_a_discarded_container_leaves_nothing_even_while_it_is_being_made(world: World) -> None:
    world.runtime.hang("create")
    world.launch()
    world.until(world.runtime.verbs)
    assert world.ask("discard")["ok"] == {}
    assert world.is_clean() and world.runtime.verbs() == ["create", "delete"]
    world.until_left()


def test_a_second_wish_to_discard_is_answered_when_everything_is_gone(world: World) -> None:
    world.runtime.fail("create", "no")
    world.launch()
    world.until(lambda: world.shim._is_leaving)
    assert world.ask("discard")["ok"] == {}
    assert world.is_clean()
    world.until_left()


def test_a_container_whose_daemon_goes_before_the_start_is_given_up(world: World) -> None:
    world.launch()
    world.until(lambda: world.shim._is_ready)
    world.far.close()
    world.until_left()
    assert world.is_clean() and world.runtime.verbs() == ["create", "delete"]


def test_a_directory_of_another_shim_is_left_alone(world: World) -> None:
    world.exec_dir.mkdir()
    (world.exec_dir / "theirs").touch()
    with pytest.raises(FileExistsError):
        world.launch()
    world.shim._give_up({"message": "there", "exit_code": 128})
    assert world.ask("start")["error"]["message"] == "there"
    assert (world.exec_dir / "theirs").exists() and world.runtime.calls() == []


@pytest.fixture
def running(world: World) -> World:
    world.runtime.program("init", "exec sleep 60")
    world.launch()
    assert "ok" in world.ask("start")
    return world


def test_a_signal_goes_by_the_runtime(running: World) -> None:
    assert running.ask("kill", signal=15, exec=None, all=False)["ok"] == {}
    assert running.heard()["record"]["exit_code"] == 143
    assert running.runtime.calls()[2] == ["kill", "c1", "15"]


def test_a_signal_for_all_says_so(running: World) -> None:
    running.ask("kill", signal=9, exec=None, all=True)
    assert running.runtime.calls()[2] == ["kill", "--all", "c1", "9"]
    running.heard()


def test_sigkill_gets_through_whatever_ails_the_runtime(running: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    running.runtime.hang("kill")
    running.runtime.fail("delete", "no")
    assert running.ask("kill", signal=9, exec=None, all=False)["ok"] == {}
    assert running.heard()["record"]["exit_code"] == 137
    assert running.is_clean()


def test_another_signal_that_the_runtime_cannot_send_is_an_error(running: World) -> None:
    running.runtime.fail("kill", "no way")
    error = running.ask("kill", signal=15, exec=None, all=False)["error"]
    assert (error["class"], error["message"]) == ("Internal", "OCI runtime kill failed: no way")
    running.runtime.fail("kill", "container not running")
    assert running.ask("kill", signal=15, exec=None, all=False)["error"]["class"] == "NotFound"


def test_freezing_goes_by_the_runtime(running: World) -> None:
    assert running.ask("freeze", frozen=True)["ok"] == running.ask("freeze", frozen=False)["ok"] == {}
    assert running.runtime.verbs()[2:] == ["pause", "resume"]
    running.runtime.fail("pause", "no freezer")
    assert running.ask("freeze", frozen=True)["error"]["message"] == "OCI runtime pause failed: no freezer"


def test_a_daemon_that_comes_back_learns_what_runs(running: World) -> None:
    found = running.ask("state")["ok"]
    assert found["pid"] == running.shim._first.pid and found["execs"] == {}


def test_a_runtime_that_hangs_while_deleting_delays_the_end_but_does_not_prevent_it(
    running: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    running.runtime.hang("delete")
    os.kill(running.shim._first.pid, signal.SIGKILL)
    assert running.heard()["record"]["exit_code"] == 137
    assert running.is_clean()


def test_a_terminal_is_asked_for_by_a_socket(folder: Path) -> None:
    world = World(folder, tty=True)
    try:
        world.launch()
        world.until(lambda: world.runtime.verbs() == ["create"])
        words = world.runtime.calls()[0]
        assert words[-3] == "--console-socket" and words[-2].startswith(f"/proc/{os.getpid()}/fd/")
        assert "ok" in world.ask("start")
        world.heard()
    finally:
        world.close()
