import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.linux import constants as c
from sampan.runtime import message
from sampan.runtime.request import ShimOrders
from sampan.runtime.shim.process import Pipes
from sampan.runtime.shim.start import USUAL_FLAGS, Newborn, clone_flags, clone_init, send_launch
from support import children


class FakeCgroup:
    """Notes what is done to it; its one task file is a plain file."""

    def __init__(self, path: Path, version: int) -> None:
        self.path = path
        self.version = version
        self.folders = {"memory": "/sys/fs/cgroup/memory/x"}
        self.done: list[str] = []
        self.heard_before: list[bool] = []
        self.far: socket.socket | None = None

    def create(self) -> None:
        self.done.append("create")
        assert self.far is not None
        try:
            self.far.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            self.heard_before.append(False)
        else:
            self.heard_before.append(True)

    def apply(self, resources: dict[str, Any]) -> None:
        self.done.append(f"apply {resources}")

    def entry_fds(self) -> list[int]:
        return [os.open(self.path, os.O_CREAT | os.O_WRONLY)]


def orders(*namespaces: str) -> ShimOrders:
    return ShimOrders(
        {
            "id": "c1",
            "tty": False,
            "open_stdin": False,
            "stdin_once": False,
            "exec_dir": "/run/c1",
            "exit_path": "/data/exit.json",
            "log": {"driver": "none"},
            "cgroup_path": "/sampan/c1",
            "resources": {"pids": {"limit": 5}},
            "new_namespaces": list(namespaces),
        }
    )


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_only_what_a_process_is_born_in_is_a_flag_of_its_birth() -> None:
    everything = ["mount", "network", "uts", "pid", "ipc", "cgroup"]
    assert clone_flags(everything) == USUAL_FLAGS == c.CLONE_NEWPID | c.CLONE_NEWUTS | c.CLONE_NEWIPC
    assert clone_flags(["pid", "mount"]) == c.CLONE_NEWPID
    assert clone_flags([]) == 0


@pytest.mark.parametrize(
    ("version", "namespaces", "is_early"),
    [(1, ("mount", "cgroup"), False), (1, ("mount",), True), (2, ("mount", "cgroup"), True), (2, ("mount",), True)],
)
def test_cgroups_are_made_while_init_works_unless_it_needs_them_first(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path, version: int, namespaces: tuple[str], is_early: bool
) -> None:
    ours, theirs = pair
    cgroup: Any = FakeCgroup(tmp_path / "tasks", version)
    cgroup.far = theirs
    send_launch(Newborn(1, -1, ours), orders(*namespaces), "INIT", cgroup, None, netns_fd=-1)
    assert cgroup.done == ["create", "apply {'pids': {'limit': 5}}"]
    assert cgroup.heard_before == [not is_early]
    launch = message.receive(theirs)
    assert launch == ({"event": "launch", "init": "INIT", "cgroup_folders": cgroup.folders}, [])
    found = message.receive(theirs)
    assert found is not None and found[0] == {"event": "cgroup"}
    # A process of version 2 was born in its cgroup.
    assert len(found[1]) == (version == 1)
    for fd in found[1]:
        os.close(fd)


def test_init_gets_its_standard_streams_then_the_network(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    ours, theirs = pair
    cgroup: Any = FakeCgroup(tmp_path / "tasks", 1)
    cgroup.far = theirs
    pipes = Pipes(with_input=True)
    netns = os.open(os.devnull, os.O_RDONLY)
    before = len(os.listdir("/proc/self/fd"))
    send_launch(Newborn(1, -1, ours), orders("cgroup"), "INIT", cgroup, pipes, netns_fd=netns)
    found = message.receive(theirs)
    assert found is not None
    sent = [os.fstat(fd).st_ino for fd in (*pipes.theirs, netns)]
    assert [os.fstat(fd).st_ino for fd in found[1]] == sent
    for fd in found[1]:
        os.close(fd)
    assert len(os.listdir("/proc/self/fd")) == before  # what was opened for sending is closed again
    pipes.close_theirs()
    pipes.close_ours()
    os.close(netns)


def test_a_newborn_is_alive_until_it_has_ended_and_stays_to_be_reaped() -> None:
    read, write = os.pipe()
    pid = children.fork(lambda: (os.close(write), os.read(read, 1)))
    sync, other = socket.socketpair()
    one = Newborn(pid, os.pidfd_open(pid), sync)
    assert one.is_alive
    os.close(write)
    os.waitid(os.P_PIDFD, one.pidfd, os.WEXITED | os.WNOWAIT)
    assert not one.is_alive and not one.is_alive
    assert children.code(pid) == 0
    for fd in (read, one.pidfd):
        os.close(fd)
    sync.close()
    other.close()


def test_a_cloned_init_prepares_itself_then_waits_and_goes_with_its_shim() -> None:
    read, write = os.pipe()
    one = clone_init(0, prepare=lambda: os.write(write, b"ready"))
    assert os.read(read, 10) == b"ready"
    assert one.is_alive
    one.sync.close()
    assert children.code(one.pid) == 1
    for fd in (read, write, one.pidfd):
        os.close(fd)
