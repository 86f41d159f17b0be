import socket
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.linux import syscalls
from sampan.runtime import init, message
from sampan.runtime.restrict import StageError
from support import children

Pair = tuple[socket.socket, socket.socket]
ORDERS: dict[str, Any] = {
    "id": "c1",
    "spec": {"process": {}, "linux": {"cgroupsPath": "/x/c1", "namespaces": [{"type": "cgroup"}]}},
    "rootfs": [],
    "user": "",
    "groups": [],
    "create_cwd": True,
    "tty": False,
    "exec_dir": "/run/c1",
    "exit_path": "/data/exit.json",
    "filter": None,
}


@pytest.fixture
def pair() -> Iterator[Pair]:
    shim, sync = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    shim.settimeout(5)
    yield shim, sync
    shim.close()
    sync.close()


def body(**changes: object) -> dict[str, Any]:
    return {**ORDERS, **changes}


def said(shim: socket.socket) -> dict[str, Any]:
    found = message.receive(shim)
    assert found is not None
    return found[0]


def test_home_is_set_only_where_it_was_not() -> None:
    assert init.with_home(["A=1"], "/root") == ["A=1", "HOME=/root"]
    assert init.with_home(["HOME=/mine"], "/root") == ["HOME=/mine"]
    assert init.with_home(["HOME=", "A="], "/root") == ["A=", "HOME=/root"]
    assert init.with_home(["HOMER=x"], "/") == ["HOMER=x", "HOME=/"]


def test_a_failure_is_reported_with_the_exit_code_that_a_shell_would_give(pair: Pair) -> None:
    shim, sync = pair
    init.report(sync, StageError("not found", 127))
    init.report(sync, OSError("no space"))
    assert said(shim) == {"event": "error", "message": "not found", "exit_code": 127}
    assert said(shim) == {"event": "error", "message": "no space", "exit_code": 128}


def test_descriptors_are_taken_in_their_order(pair: Pair) -> None:
    stage = init.staged(pair[1], body(namespaces=["network", "user"]), [10, 11, 12, 13, 14])
    assert (stage.stdio, stage.namespace_fds) == ((10, 11, 12), {"network": 13, "user": 14})
    assert stage.has_cgroup_ns


def test_a_terminal_brings_no_descriptors_and_a_shared_network_no_namespace(pair: Pair) -> None:
    assert init.staged(pair[1], body(tty=True, namespaces=["network"]), [13]).namespace_fds == {"network": 13}
    stage = init.staged(pair[1], body(tty=True), [])
    assert (stage.stdio, stage.namespace_fds) == (None, {})


def run(sync: socket.socket) -> None:
    init.run(sync, lambda: None)


def test_orders_that_make_no_sense_are_reported_and_the_process_ends(pair: Pair) -> None:
    shim, sync = pair
    message.send(shim, {"event": "launch"})
    assert children.code_of(lambda: run(sync)) == 1
    assert said(shim) == {"event": "error", "message": "KeyError: 'id'", "exit_code": 128}


def test_a_shim_that_goes_away_before_the_launch_takes_its_init_along_in_silence(pair: Pair) -> None:
    shim, sync = pair

    def alone() -> None:
        shim.close()
        run(sync)

    pid = children.fork(alone)
    shim.close()
    assert children.code(pid) == 1


def test_a_failure_that_nobody_hears_ends_the_process_and_never_runs_on_as_the_shim(pair: Pair) -> None:
    shim, sync = pair

    def alone() -> None:
        def prepare() -> None:
            shim.close()
            raise OSError("no space")

        init.run(sync, prepare)

    pid = children.fork(alone)
    shim.close()
    assert children.code(pid) == 1


def test_init_is_not_dumpable_before_it_hears_anything(pair: Pair) -> None:
    shim, sync = pair

    def check() -> None:
        # PR_GET_DUMPABLE of prctl(2)
        message.send(sync, {"dumpable": syscalls.prctl(3)})

    pid = children.fork(lambda: init.run(sync, check))
    assert said(shim) == {"dumpable": 0}
    message.send(shim, {"event": "nothing"})
    assert said(shim)["event"] == "error"
    assert children.code(pid) == 1
