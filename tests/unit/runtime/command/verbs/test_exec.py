import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.linux import syscalls
from sampan.runtime import message
from sampan.runtime.command import foreground, main, options
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs import exec as subject

Make = Callable[..., Container]
Put = Callable[[Callable[[socket.socket, Any], object]], None]
Sleeper = subprocess.Popen[bytes]
Err = pytest.CaptureFixture[str]
PROCESS: dict[str, Any] = {
    "args": ["sleep", "1000"],
    "cwd": "/",
    "env": ["A=1"],
    "terminal": True,
    "consoleSize": {"height": 1, "width": 2},
    "user": {"uid": 5, "gid": 6, "additionalGids": [7]},
    "capabilities": {"bounding": ["CAP_KILL"], "ambient": []},
}
SPEC: dict[str, Any] = {"process": PROCESS, "linux": {"namespaces": [{"type": "pid"}]}}


def process_of(make: Make, *words: str) -> dict[str, Any]:
    parsed = options.parse(subject.FLAGS, [*words], in_order=True)
    return subject.process_of(make("one", spec=SPEC), parsed)


def test_a_command_has_what_the_containers_process_has_but_its_terminal(make: Make) -> None:
    found = process_of(make, "one", "ls", "-l")
    assert found["args"] == ["ls", "-l"] and not found["terminal"] and "consoleSize" not in found
    assert [found[key] for key in ("env", "cwd", "user")] == [PROCESS[key] for key in ("env", "cwd", "user")]


def test_options_change_it(make: Make) -> None:
    words = ["--env", "B=2", "--cwd", "/tmp", "--tty", "--user", "8:9", "-g", "10", "--no-new-privs"]
    found = process_of(make, *words, "--apparmor", "profile", "--process-label", "label", "one", "ls")
    assert (found["env"], found["cwd"], found["terminal"]) == (["A=1", "B=2"], "/tmp", True)
    assert found["user"] == {"uid": 8, "gid": 9, "additionalGids": [7, 10]}
    assert found["noNewPrivileges"]
    assert (found["apparmorProfile"], found["selinuxLabel"]) == ("profile", "label")


def test_a_user_without_a_group_keeps_the_group(make: Make) -> None:
    assert process_of(make, "--user", "8", "one", "ls")["user"]["gid"] == 6


def test_capabilities_are_added_once_and_not_inheritable(make: Make) -> None:
    found = process_of(make, "--cap", "cap_kill", "--cap", "CAP_CHOWN", "one", "ls")["capabilities"]
    assert found["bounding"] == ["CAP_KILL", "CAP_CHOWN"]
    assert found["effective"] == found["permitted"] == found["ambient"] == ["CAP_KILL", "CAP_CHOWN"]
    assert "inheritable" not in found  # CVE-2022-29162


def test_the_containers_own_process_is_not_changed(make: Make) -> None:
    container = make("one", spec=SPEC)
    parsed = options.parse(subject.FLAGS, ["--cap", "CAP_CHOWN", "-e", "B=2", "-u", "0", "one", "ls"], in_order=True)
    subject.process_of(container, parsed)
    assert container.spec["process"] == PROCESS


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["one"], "args cannot be empty"),
        (["--user", "bob", "one", "ls"], "not a number"),
        (["-g", "staff", "one", "ls"], "not a number"),
        (["--cap", "CAP_FLY", "one", "ls"], "unknown capability: CAP_FLY"),
        (["--cwd", "relative", "one", "ls"], "cwd|Cwd"),
        (["--process", "/nowhere", "one", "ls"], "cannot be given together"),
    ],
)
def test_what_makes_no_process_is_refused(words: list[str], text: str, make: Make) -> None:
    with pytest.raises(InvalidArgument, match=text):
        process_of(make, *words)


def test_a_process_can_come_from_a_file(make: Make, tmp_path: Any) -> None:
    given = {"args": ["ls"], "cwd": "/", "user": {"uid": 1, "gid": 1}, "terminal": True}
    (tmp_path / "process").write_text(json.dumps(given))
    found = process_of(make, "--process", str(tmp_path / "process"), "-e", "B=2", "one")
    assert (found["args"], found["user"]["uid"], found["terminal"]) == (["ls"], 1, True)
    assert found["env"] == ["B=2"]


@pytest.fixture
def running(make: Make, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A container that runs; namespaces are not joined, but noted."""
    joined: list[Any] = []
    monkeypatch.setattr(syscalls, "setns", lambda fd, flags: joined.append(flags))
    monkeypatch.setattr(foreground, "listen", lambda: -1)
    monkeypatch.setattr(foreground, "wait", lambda pid, pidfd, wakeup, master_fd: foreground.exit_code(pidfd))
    make("one", process=sleeper, spec=SPEC | {"process": PROCESS | {"terminal": False}})
    return joined


def call(context: Context, *words: str) -> int:
    return main.main(["--root", context.root, "exec", *words])


def end_with(code: int) -> Callable[[socket.socket, Any], None]:
    def script(sync: socket.socket, stage: Any) -> None:
        sync.close()
        os._exit(code)

    return script


def test_the_code_is_the_programs(context: Context, running: list[Any], first_process: Put) -> None:
    first_process(end_with(7))
    assert call(context, "one", "ls") == 7
    assert running == [0x20000000]  # the PID namespace, for the child to be born in


def test_the_stage_says_what_is_wanted(context: Context, running: list[Any], first_process: Put) -> None:
    def script(sync: socket.socket, stage: Any) -> None:
        assert stage.process["args"] == ["ls"] and stage.stdio == (0, 1, 2)
        assert not stage.dies_with_parent and stage.cgroup is None and stage.preserved_fds == []
        sync.close()

    first_process(script)
    assert call(context, "one", "ls") == 0


def test_a_detached_process_leaves_its_pid(
    context: Context, running: list[Any], first_process: Put, tmp_path: Any
) -> None:
    first_process(end_with(9))
    assert call(context, "--detach", "--pid-file", str(tmp_path / "pid"), "one", "ls") == 0
    pid = int((tmp_path / "pid").read_text())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def refuse(sync: socket.socket, stage: Any) -> None:
    message.send(sync, {"event": "error", "message": "executable file not found", "exit_code": 127})


def test_a_process_that_cannot_run_is_255(context: Context, running: list[Any], first_process: Put, capfd: Err) -> None:
    first_process(refuse)
    assert call(context, "one", "ls") == 255
    assert "exec failed: executable file not found" in capfd.readouterr().err


def stay_with_terminal(sync: socket.socket, stage: Any) -> None:
    with open("process", "w") as file:
        file.write(str(os.getpid()))
    message.send(sync, {"event": "terminal"}, [0])
    sync.close()
    signal.pause()


@pytest.mark.parametrize("options", [["--tty", "--console-socket", "/nowhere/console"], ["--pid-file", "/nowhere/pid"]])
def test_a_process_that_cannot_be_handed_over_does_not_stay(
    options: list[str], context: Context, running: list[Any], first_process: Put, capfd: Err
) -> None:
    first_process(stay_with_terminal)
    assert call(context, "--detach", *options, "one", "ls") == 255
    assert "o such file" in capfd.readouterr().err
    with open("process") as file, pytest.raises(ChildProcessError):
        os.waitpid(int(file.read()), 0)


def test_a_terminal_goes_to_the_console_socket(
    context: Context, running: list[Any], first_process: Put, tmp_path: Any
) -> None:
    def script(sync: socket.socket, stage: Any) -> None:
        assert stage.stdio is None
        read, write = os.pipe()
        os.write(write, b"from the terminal")
        message.send(sync, {"event": "terminal"}, [read])
        sync.close()

    first_process(script)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen()
        assert call(context, "--tty", "--console-socket", str(tmp_path / "console"), "one", "ls") == 0
        connection, _ = listener.accept()
    with connection:
        _, [fd], _, _ = socket.recv_fds(connection, 100, 2)
    assert os.read(fd, 100) == b"from the terminal"
    os.close(fd)


def test_nothing_runs_in_a_container_that_has_stopped(
    context: Context, running: list[Any], first_process: Put, sleeper: Sleeper, capfd: Err
) -> None:
    first_process(end_with(0))
    sleeper.kill()
    sleeper.wait()
    assert call(context, "one", "ls") == 255
    assert "cannot exec in a stopped container" in capfd.readouterr().err


def test_a_paused_container_takes_a_process_only_when_it_is_meant(
    context: Context, make: Make, sleeper: Sleeper, cgroup: Any, first_process: Put, capfd: Err, running: list[Any]
) -> None:
    Container.load(context.root, "one").remove()
    make("one", process=sleeper, spec=SPEC, cgroup_manager="cgroupfs")
    cgroup.frozen = True
    first_process(end_with(0))
    assert call(context, "one", "ls") == 255
    assert "cannot exec in a paused container" in capfd.readouterr().err
    assert call(context, "--ignore-paused", "one", "ls") == 0
