import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.runtime import consolesocket
from sampan.runtime.restrict import StageError

STATE = {"ociVersion": "1.2.0", "id": "c1", "status": "creating", "pid": 9, "bundle": "/b"}


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as found:
        found.bind(str(tmp_path / "s"))
        found.listen()
        yield found


def received(listener: socket.socket) -> tuple[bytes, list[int]]:
    connection, _ = listener.accept()
    with connection:
        text, fds, _, _ = socket.recv_fds(connection, 1 << 20, 4)
        while more := connection.recv(1 << 20):
            text += more
    return text, fds


def test_a_terminal_arrives_with_a_name(listener: socket.socket) -> None:
    sock = consolesocket.connect_console(listener.getsockname())
    master, slave = os.openpty()
    consolesocket.send_terminal(sock, master)
    sock.close()
    os.close(master)
    text, [fd] = received(listener)
    assert text == b"/dev/pts/ptmx"
    os.write(slave, b"x")
    assert os.read(fd, 1) == b"x"
    os.close(fd)
    os.close(slave)


def test_a_seccomp_agent_gets_the_listener_and_whose_it_is(listener: socket.socket) -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    consolesocket.send_listener(listener.getsockname(), fd, STATE, pid=9, metadata="for the agent")
    text, [got] = received(listener)
    assert json.loads(text) == {
        "ociVersion": "0.2.0",
        "fds": ["seccompFd"],
        "pid": 9,
        "metadata": "for the agent",
        "state": STATE,
    }
    assert os.fstat(got).st_rdev == os.fstat(fd).st_rdev
    os.close(fd)
    os.close(got)


def test_without_metadata_there_is_no_such_field() -> None:
    assert "metadata" not in json.loads(consolesocket.process_state(STATE, pid=1))


def test_an_address_may_be_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    here = os.open(folder, os.O_PATH)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"/proc/self/fd/{here}/s")
        listener.listen()
        consolesocket.connect(f"{folder}/s").close()
    os.close(here)


def test_nobody_there_is_an_error_in_runcs_words(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"dial unix .*/none: connect: no such file or directory"):
        consolesocket.connect_console(str(tmp_path / "none"))
    with pytest.raises(StageError, match="failed to connect with seccomp agent specified in the seccomp profile: dial"):
        consolesocket.send_listener(str(tmp_path / "none"), 0, STATE, pid=1)


def test_who_hangs_up_gets_no_terminal() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(StageError, match="cannot send the terminal to the console socket: broken pipe"):
        consolesocket.send_terminal(ours, 0)
