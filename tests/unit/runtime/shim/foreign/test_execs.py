import os
import signal

import pytest

from support.foreignshim import World


@pytest.fixture
def running(world: World) -> World:
    world.runtime.program("init", "exec sleep 60")
    world.launch()
    assert "ok" in world.ask("start")
    return world


def files(world: World) -> list[str]:
    return [name for name in os.listdir(world.exec_dir) if name.startswith("exec-")]


def test_an_exec_runs_and_its_end_is_told_before_its_stream_ends(running: World) -> None:
    running.runtime.program("exec", "read line; echo got $line; exit 5")
    answer = running.exec("e1", stream=True)
    assert answer["ok"]["pid"] == running.shim.execs["e1"].pid
    assert files(running) == []
    stream = running.sockets[-1]
    stream.sendall(b"in\n")
    assert running.heard() == {"event": "exec_exit", "id": "e1", "exit_code": 5}
    running.until(lambda: not running.shim.execs)
    assert stream.recv(100) == b"got in\n" and stream.recv(100) == b""


def test_the_runtime_is_told_to_leave_us_the_process(running: World) -> None:
    running.runtime.program("exec", "exec sleep 60")
    running.exec("e1")
    base = f"{running.exec_dir}/exec-1"
    assert running.runtime.calls()[2] == [
        "exec", "--process", f"{base}.json", "--pid-file", f"{base}.pid", "--detach", "c1",
    ]  # fmt: skip
    assert running.ask("state")["ok"]["execs"] == {"e1": {"pid": running.shim.execs["e1"].pid, "is_running": True}}


def test_an_execs_signal_is_sent_to_its_process(running: World) -> None:
    running.runtime.program("exec", "exec sleep 60")
    running.exec("e1")
    assert running.ask("kill", signal=int(signal.SIGTERM), exec="e1", all=False)["ok"] == {}
    assert running.heard() == {"event": "exec_exit", "id": "e1", "exit_code": 143}


def test_a_failed_exec_says_why_and_leaves_nothing(running: World) -> None:
    running.runtime.fail("exec", "executable file not found in PATH")
    error = running.exec("e1", stream=True)["error"]
    assert error["message"] == "OCI runtime exec failed: executable file not found in PATH"
    assert error["exit_code"] == 127
    assert running.sockets[-1].recv(10) == b""
    assert files(running) == [] and running.shim.execs == {}


def test_an_exec_without_a_process_id_has_failed(running: World) -> None:
    running.runtime.path.write_text(
        running.runtime.path.read_text().replace('& echo $! >"$pidfile";;\npause', "&;;\npause")
    )
    running.runtime.path.write_text("#!/bin/sh\nexit 0\n")
    assert "exec-1.pid" in running.exec("e1")["error"]["message"]


def test_there_is_no_exec_in_a_container_that_does_not_run(world: World) -> None:
    assert world.exec("e1")["error"] == {
        "class": "Conflict",
        "message": "container c1 is not running",
        "exit_code": 0,
    }


def test_an_exec_ends_with_the_container(running: World) -> None:
    running.runtime.program("exec", "exec sleep 60")
    running.exec("e1")
    os.kill(running.shim.execs["e1"].pid, signal.SIGKILL)
    os.kill(running.shim._first.pid, signal.SIGKILL)
    told = [running.heard()["event"] for _ in range(2)]
    assert sorted(told) == ["exec_exit", "exit"]
    running.until_left()
