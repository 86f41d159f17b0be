import os
import socket
from typing import Any

import pytest

from sampan.runtime import join, message
from sampan.runtime.filter import Filter
from sampan.runtime.join import JoinStage
from support import children

PROCESS: dict[str, Any] = {"args": ["true"], "env": [], "cwd": "/"}


class FakeCgroup:
    """Hands out one task file, as version 1 does for each hierarchy."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def entry_fds(self) -> list[int]:
        return [self.fd]


def outcome(*, init_pidfd: int, cgroup: Any = None) -> tuple[int, dict[str, Any] | None]:
    """Run a joining process to its end: its exit code and what it said."""
    shim, sync = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stage = JoinStage(PROCESS, sync, init_pidfd=init_pidfd, flags=0, user="", groups=[], stdio=None, cgroup=cgroup)
    pid = children.fork(lambda: join.run(stage))
    sync.close()
    with shim:
        found = message.receive(shim)
    return children.code(pid), found[0] if found else None


def test_a_container_that_ended_meanwhile_is_reported_not_joined() -> None:
    code, found = outcome(init_pidfd=-1)
    assert code == 1
    assert found is not None and found["event"] == "error" and found["exit_code"] == 128
    assert "Bad file descriptor" in found["message"]


def test_the_cgroup_is_joined_before_the_namespaces() -> None:
    read, write = os.pipe()
    code, found = outcome(init_pidfd=-1, cgroup=FakeCgroup(write))
    os.close(write)
    assert os.read(read, 10) == b"0"
    os.close(read)
    assert code == 1 and found is not None


def test_a_cgroup_that_cannot_be_joined_ends_the_start() -> None:
    read, write = os.pipe()
    os.close(write)
    code, found = outcome(init_pidfd=-1, cgroup=FakeCgroup(read))
    os.close(read)
    assert code == 1
    assert found is not None and found["exit_code"] == 128 and found["message"].startswith("OSError")


def test_a_failure_that_nobody_hears_ends_the_process_and_never_runs_on_as_the_shim() -> None:
    shim, sync = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    shim.close()
    stage = JoinStage(PROCESS, sync, init_pidfd=-1, flags=0, user="", groups=[], stdio=None, cgroup=None)
    assert children.code_of(lambda: join.run(stage)) == 1
    sync.close()


@pytest.mark.parametrize("name", ["user", "process", "stdio", "groups", "filter"])
def test_a_stage_carries_what_the_process_needs(name: str) -> None:
    sync, other = socket.socketpair()
    fields: dict[str, Any] = {"user": "app", "groups": ["wheel"], "stdio": (0, 1, 2), "filter": Filter(b"x")}
    stage = JoinStage(PROCESS, sync, init_pidfd=3, flags=1, cgroup=None, **fields)
    assert getattr(stage, name) == (PROCESS if name == "process" else fields[name])
    sync.close()
    other.close()
