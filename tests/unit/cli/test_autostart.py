import os
from pathlib import Path

import pytest

from sampan import errors
from sampan.cli import autostart
from sampan.client.hosts import parse_host

LISTENS = """#!{python} -S
import os, socket, sys
print("starting", os.getsid(0) == os.getpid(), os.readlink("/proc/self/fd/0"), flush=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind({path!r})
listener.listen()
listener.accept()
"""
FAILS = "#!/bin/sh\necho no disk >&2\nexit 3\n"


def write_program(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_the_daemon_gets_its_own_session_and_is_waited_for(tmp_path: Path) -> None:
    socket_path = str(tmp_path / "engine.sock")
    program = write_program(
        tmp_path / "sampand", LISTENS.format(python=os.path.realpath("/proc/self/exe"), path=socket_path)
    )
    host = parse_host(f"unix://{socket_path}")
    autostart.start(program, host, log_path=str(tmp_path / "log"), wait_s=20)
    os.waitpid(-1, 0)
    assert (tmp_path / "log").read_text() == "starting True /dev/null\n"


def test_a_daemon_that_ends_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("older line\n")
    program = write_program(tmp_path / "sampand", FAILS)
    host = parse_host(f"unix://{tmp_path}/engine.sock")
    with pytest.raises(errors.Unavailable) as caught:
        autostart.start(program, host, log_path=str(tmp_path / "log"), wait_s=20)
    assert str(caught.value) == f"{program} ended before it listened on {host.text}\n  no disk"


def test_the_daemon_beside_the_command_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    on_path = write_program(tmp_path / "a" / "sampand", FAILS)
    monkeypatch.setenv("PATH", str(tmp_path / "a"))
    monkeypatch.setattr("sys.argv", [str(tmp_path / "b" / "sampan")])
    monkeypatch.setattr("sys.executable", "/nonexistent/python3")
    assert autostart.find_daemon() == on_path
    beside = write_program(tmp_path / "b" / "sampand", FAILS)
    assert autostart.find_daemon() == beside


def test_only_root_starts_a_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert autostart.starter(parse_host("unix:///x")) is None
