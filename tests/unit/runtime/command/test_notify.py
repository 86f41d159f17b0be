import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.runtime.command import notify

Sleeper = subprocess.Popen[bytes]


@pytest.fixture
def host(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd listens to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "host"))
        found.settimeout(5)
        monkeypatch.setenv(notify.VARIABLE, str(tmp_path / "host"))
        yield found


@pytest.fixture
def waiting(tmp_path: Any, host: socket.socket) -> Iterator[notify.Waiting]:
    notify.offer(str(tmp_path), {}, os.environ[notify.VARIABLE])
    found = notify.wanted(str(tmp_path))
    assert found is not None
    yield found
    found.close()


def say(folder: object, text: bytes) -> None:
    """Be the container."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(text, f"{folder}/notify/notify")


def test_the_container_finds_a_socket_of_its_own_where_the_hosts_is(tmp_path: Any) -> None:
    spec: dict[str, Any] = {"process": {"env": ["A=b", "NOTIFY_SOCKET=/old"]}, "mounts": [{"destination": "/proc"}]}
    notify.offer(str(tmp_path), spec, "/run/systemd/notify")
    assert spec["process"]["env"] == ["A=b", "NOTIFY_SOCKET=/run/systemd/notify/notify"]
    assert [mount["destination"] for mount in spec["mounts"]] == ["/proc", "/run/systemd/notify"]
    assert spec["mounts"][1]["source"] == f"{tmp_path}/notify"
    assert os.path.isdir(f"{tmp_path}/notify")


def test_a_socket_without_a_file_gets_a_place(tmp_path: Any) -> None:
    spec: dict[str, Any] = {"process": {"args": ["true"]}}
    notify.offer(str(tmp_path), spec, "@abstract")
    assert spec["mounts"][0]["destination"] == notify.PLACE
    assert spec["process"]["env"] == [f"NOTIFY_SOCKET={notify.PLACE}/notify"]


def test_nobody_waits_where_nobody_asks(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(notify.VARIABLE, "/run/systemd/notify")
    assert notify.wanted(str(tmp_path)) is None  # nothing was offered when the container was made
    os.mkdir(tmp_path / "notify")
    monkeypatch.delenv(notify.VARIABLE)
    assert notify.wanted(str(tmp_path)) is None


def test_ready_is_passed_on_with_the_containers_process(
    waiting: notify.Waiting, host: socket.socket, tmp_path: Any
) -> None:
    say(tmp_path, b"STATUS=nearly\nREADY=1\nMAINPID=1")
    assert waiting.take(77)
    assert host.recv(4096) == b"READY=1\nMAINPID=77\n"


def test_anything_else_is_not(waiting: notify.Waiting, host: socket.socket, tmp_path: Any) -> None:
    for text in (b"STATUS=nearly", b"XREADY=1", b"READY=0", b""):
        say(tmp_path, text)
        assert not waiting.take(77)
    host.setblocking(False)
    with pytest.raises(BlockingIOError):
        host.recv(4096)


def test_any_user_of_the_container_may_say_it(waiting: notify.Waiting, tmp_path: Any) -> None:
    assert os.stat(tmp_path / "notify" / "notify").st_mode & 0o777 == 0o777


def test_a_host_that_listens_no_more_is_no_failure(waiting: notify.Waiting, host: socket.socket, tmp_path: Any) -> None:
    os.unlink(tmp_path / "host")
    say(tmp_path, b"READY=1")
    assert waiting.take(77)


def test_an_abstract_socket_of_the_host_is_reached(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"@smpt-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as host:
        host.bind(name.replace("@", "\0"))
        host.settimeout(5)
        monkeypatch.setenv(notify.VARIABLE, name)
        os.mkdir(tmp_path / "notify")
        waiting = notify.wanted(str(tmp_path))
        assert waiting is not None
        say(tmp_path, b"READY=1")
        assert waiting.take(5) and host.recv(4096) == b"READY=1\nMAINPID=5\n"
        waiting.close()


def test_the_wait_ends_when_it_is_ready(
    waiting: notify.Waiting, host: socket.socket, tmp_path: Any, sleeper: Sleeper
) -> None:
    pidfd = os.pidfd_open(sleeper.pid)
    say(tmp_path, b"STATUS=nearly")
    say(tmp_path, b"READY=1")
    waiting.until_ready(sleeper.pid, pidfd)
    os.close(pidfd)
    assert host.recv(4096).startswith(b"READY=1")
    assert sleeper.poll() is None


def test_the_wait_ends_when_the_program_ends_without_a_word(waiting: notify.Waiting, sleeper: Sleeper) -> None:
    pidfd = os.pidfd_open(sleeper.pid)
    sleeper.kill()
    waiting.until_ready(sleeper.pid, pidfd)
    os.close(pidfd)


def test_a_long_state_directory_does_not_matter(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("a" * 120)
    os.makedirs(folder / "notify")
    monkeypatch.setenv(notify.VARIABLE, "/nowhere")
    here = os.getcwd()
    waiting = notify.wanted(str(folder))
    assert waiting is not None
    waiting.close()
    assert os.getcwd() == here
