import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.runtime import message
from sampan.runtime.command import supervision
from sampan.runtime.command.context import Context
from sampan.runtime.command.supervision import LaunchFailed
from support import children

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def agent(tmp_path: Any) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as found:
        found.bind(str(tmp_path / "agent"))
        found.listen()
        found.settimeout(5)
        yield found


def play(pair: Pair, answer: "dict[str, object] | None") -> int:
    """A first process that hears "go" and says `answer`; without one, its end of the socket closes (execve)."""

    def first_process() -> None:
        pair[0].close()
        found = message.receive(pair[1])
        assert found is not None and found[0] == {"event": "go", "state": {"id": "one"}}
        if answer:
            message.send(pair[1], answer)

    pid = children.fork(first_process)
    pair[1].close()
    return pid


def test_a_program_that_runs_says_nothing(pair: Pair) -> None:
    pid = play(pair, None)
    supervision.go(pair[0], {"id": "one"})
    assert children.code(pid) == 0
    assert pair[0].fileno() < 0


def test_a_program_that_cannot_be_executed_is_a_failure_with_its_exit_code(pair: Pair) -> None:
    pid = play(pair, {"event": "error", "message": "exec /nope: no such file", "exit_code": 127})
    with pytest.raises(LaunchFailed, match="exec /nope: no such file") as found:
        supervision.go(pair[0], {"id": "one"})
    assert found.value.exit_code == 127
    assert children.code(pid) == 0
    assert pair[0].fileno() < 0


def test_a_process_that_is_gone_cannot_go(pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(LaunchFailed, match="first process is gone: Broken pipe"):
        supervision.go(pair[0], {"id": "one"})
    assert pair[0].fileno() < 0


def shell(script: str) -> dict[str, Any]:
    return {"path": "/bin/sh", "args": ["sh", "-c", script]}


def test_hooks_of_the_wanted_kind_run_in_the_bundle(context: Context, tmp_path: Any) -> None:
    spec = {"hooks": {"poststart": [shell("cat > seen")], "poststop": [shell("echo > other")]}}
    supervision.run_late_hooks(context, spec, "poststart", {"id": "one", "bundle": str(tmp_path)})
    assert json.loads((tmp_path / "seen").read_text())["id"] == "one"
    assert not (tmp_path / "other").exists()
    supervision.run_late_hooks(context, {}, "poststart", {})


def test_a_hook_that_fails_stops_the_others(context: Context, tmp_path: Any) -> None:
    found = {"createRuntime": [shell("echo a reason; exit 3"), shell("echo > second")]}
    with pytest.raises(LaunchFailed, match=r"createRuntime hook #0.*a reason"):
        supervision.run_hooks(found, "createRuntime", {"bundle": str(tmp_path)}, context)
    assert not (tmp_path / "second").exists()


def is_open(fd: int) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


def test_a_terminal_goes_to_who_listens_and_is_ours_no_more(agent: socket.socket) -> None:
    read, write = os.pipe()
    supervision.hand_terminal(agent.getsockname(), write)
    assert not is_open(write)
    connection, _ = agent.accept()
    with connection:
        _, [fd], _, _ = socket.recv_fds(connection, 100, 2)
    os.write(fd, b"x")
    os.close(fd)
    assert os.read(read, 2) == b"x"
    os.close(read)


def test_a_listener_goes_to_the_agent_with_the_state(agent: socket.socket) -> None:
    read, write = os.pipe()
    event = {"path": agent.getsockname(), "metadata": "for it"}
    supervision.hand_listener(event, write, {"id": "one"}, pid=7)
    assert not is_open(write)
    connection, _ = agent.accept()
    with connection:
        text, [fd], _, _ = socket.recv_fds(connection, 4096, 2)
    os.close(fd)
    os.close(read)
    told = json.loads(text)
    assert (told["state"], told["pid"], told["metadata"]) == ({"id": "one"}, 7, "for it")


def test_where_nobody_listens_the_descriptor_is_closed_too(tmp_path: Any) -> None:
    for hand in (
        lambda path, fd: supervision.hand_terminal(path, fd),
        lambda path, fd: supervision.hand_listener({"path": path, "metadata": ""}, fd, {}, pid=1),
    ):
        fd = os.open("/dev/null", os.O_RDONLY)
        with pytest.raises(Exception, match="no such file"):
            hand(str(tmp_path / "nobody"), fd)
        assert not is_open(fd)


def test_a_pid_file_replaces_an_older_one(tmp_path: Any) -> None:
    (tmp_path / "pid").write_text("a long text of former days")
    supervision.write_pid(str(tmp_path / "pid"), 4711)
    assert os.listdir(tmp_path) == ["pid"]
    assert (tmp_path / "pid").read_text() == "4711"


def test_a_pid_file_that_cannot_be_leaves_nothing(tmp_path: Any) -> None:
    os.mkdir(tmp_path / "pid")
    with pytest.raises(IsADirectoryError):
        supervision.write_pid(str(tmp_path / "pid"), 4711)
    assert os.listdir(tmp_path) == ["pid"]
