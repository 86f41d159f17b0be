import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampan.runtime import message
from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container
from support import children

Make = Callable[..., Container]
Sleeper = subprocess.Popen[bytes]
Err = pytest.CaptureFixture[str]
PROCESS = {"process": {"args": ["true"]}}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)


@pytest.fixture
def created(make: Make, sleeper: Sleeper) -> Iterator[Callable[..., Container]]:
    """Makes a container whose gate a fork of ours keeps: it answers "go" with `answer`, or by closing."""
    pids = []

    def make_one(answer: "dict[str, Any] | None" = None, spec: "dict[str, Any] | None" = None) -> Container:
        container = make("one", process=sleeper, spec=PROCESS | (spec or {}))
        gate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gate.bind(container.exec_fifo)
        gate.listen(1)

        def keep() -> None:
            sync, _ = gate.accept()
            found: Any = message.receive(sync)
            assert found[0]["event"] == "go"
            assert found[0]["state"] == container.state("created")
            if answer:
                message.send(sync, answer)

        pids.append(children.fork(keep))
        gate.close()
        return container

    yield make_one
    assert [children.code(pid) for pid in pids] == [0] * len(pids)


def start(context: Context) -> int:
    return main.main(["--root", context.root, "start", "one"])


def test_a_created_container_runs(context: Context, created: Callable[..., Container]) -> None:
    container = created()
    assert start(context) == 0
    assert not os.path.exists(container.exec_fifo)
    assert container.status() == "running"


def test_a_program_that_cannot_be_executed_is_reported(
    context: Context, created: Callable[..., Container], capfd: Err
) -> None:
    created({"event": "error", "message": "exec /bin/x: exec format error", "exit_code": 126})
    assert start(context) == 1
    assert "exec /bin/x: exec format error" in capfd.readouterr().err


def shell(script: str) -> dict[str, Any]:
    return {"path": "/bin/sh", "args": ["sh", "-c", script]}


def test_poststart_hooks_see_it_running(context: Context, created: Callable[..., Container], tmp_path: Any) -> None:
    created(spec={"hooks": {"poststart": [shell("cat > seen")]}})
    assert start(context) == 0
    assert json.loads((tmp_path / "seen").read_text())["status"] == "running"


def test_a_poststart_hook_that_fails_ends_the_container(
    context: Context, created: Callable[..., Container], sleeper: Sleeper, capfd: Err
) -> None:
    container = created(spec={"hooks": {"poststart": [shell("exit 3")]}})
    assert start(context) == 1
    assert "poststart hook #0" in capfd.readouterr().err
    assert sleeper.wait(5) == -9
    assert not os.path.exists(container.directory)


def test_only_what_was_created_can_be_started(context: Context, make: Make, sleeper: Sleeper, capfd: Err) -> None:
    make("one", process=sleeper, spec=PROCESS)
    assert start(context) == 1
    assert "cannot start an already running container" in capfd.readouterr().err
    sleeper.kill()
    sleeper.wait()
    assert start(context) == 1
    assert "cannot start a container that has stopped" in capfd.readouterr().err


def test_a_paused_one_is_not_started(context: Context, make: Make, sleeper: Sleeper, cgroup: Any, capfd: Err) -> None:
    cgroup.frozen = True
    make("one", process=sleeper, spec=PROCESS, cgroup_manager="cgroupfs")
    assert start(context) == 1
    assert "cannot start a container in the paused state" in capfd.readouterr().err


def test_a_gate_that_nobody_keeps_is_a_failure_and_keeps_the_directory(
    context: Context, make: Make, sleeper: Sleeper, capfd: Err
) -> None:
    container = make("one", process=sleeper, spec=PROCESS)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as gate:
        gate.bind(container.exec_fifo)
    here = os.getcwd()
    assert start(context) == 1
    assert "container one cannot be started: Connection refused" in capfd.readouterr().err
    assert os.getcwd() == here


def test_start_waits_until_the_program_says_that_it_is_ready(
    context: Context, created: Callable[..., Container], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    container = created(spec={"hooks": {"poststart": [shell("exec sleep 0")]}})
    os.mkdir(f"{container.directory}/notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as host:
        host.bind(str(tmp_path / "host"))
        host.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "host"))

        def say() -> None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                while sock.connect_ex(f"{container.directory}/notify/notify"):
                    os.sched_yield()
                sock.send(b"READY=1")

        pid = children.fork(say)
        assert start(context) == 0
        assert host.recv(100) == f"READY=1\nMAINPID={container.pid}\n".encode()
        assert children.code(pid) == 0
