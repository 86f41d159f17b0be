import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.runtime import message
from sampan.runtime.request import InitOrders
from sampan.runtime.restrict import StageError
from sampan.runtime.stage import Stage, adjust_oom_score, attempt
from sampan.runtime.steps import Root, Step
from support import children

Pair = tuple[socket.socket, socket.socket]
SPEC: dict[str, Any] = {"process": {}, "linux": {"cgroupsPath": "/x/c1", "namespaces": [{"type": "cgroup"}]}}
ORDERS: dict[str, Any] = {
    "id": "c1",
    "spec": SPEC,
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


def stage_of(pair: Pair, **changes: object) -> Stage:
    return Stage(pair[1], InitOrders({**ORDERS, **changes}), stdio=None)


@pytest.mark.parametrize(
    ("namespaces", "expected"),
    [
        ([{"type": "pid"}, {"type": "cgroup"}], True),
        ([{"type": "cgroup", "path": "/proc/1/ns/cgroup"}], False),
        ([{"type": "pid"}], False),
        (None, False),
    ],
)
def test_a_cgroup_namespace_of_its_own_is_one_without_a_path(pair: Pair, namespaces: Any, expected: bool) -> None:
    spec = {"linux": {"cgroupsPath": "/x/c1", "namespaces": namespaces}}
    assert stage_of(pair, spec=spec).has_cgroup_ns is expected


def test_the_cgroups_are_joined_once_however_often_it_is_asked_for(pair: Pair, tmp_path: Path) -> None:
    stage = stage_of(pair, spec={"linux": {"cgroupsPath": "/x/c1"}})
    paths = [tmp_path / "memory", tmp_path / "pids"]
    stage._task_fds = [os.open(path, os.O_CREAT | os.O_WRONLY) for path in paths]
    fds = list(stage._task_fds)
    stage.enter_cgroup()
    stage.enter_cgroup()  # the cgroup mount asks first, then everybody
    assert [path.read_text() for path in paths] == ["0", "0"]
    assert not any(os.path.exists(f"/proc/self/fd/{fd}") for fd in fds)


class Failing(Step):
    def __init__(self, error: OSError) -> None:
        self.error = error

    def describe(self) -> str:
        return "bind /data on /srv"

    def execute(self, root: Root) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(2, "No such file or directory", "/data"), "bind /data on /srv: no such file or directory ('/data')"),
        (OSError(1, "Operation not permitted"), "bind /data on /srv: operation not permitted"),
        (OSError("odd"), "bind /data on /srv: odd"),
    ],
)
def test_a_failing_step_is_told_with_what_it_was_about(error: OSError, expected: str) -> None:
    step = Failing(error)
    with pytest.raises(StageError) as caught:
        attempt(step, lambda: step.execute(Root(lambda: None)))
    assert (str(caught.value), caught.value.exit_code) == (expected, 128)


def test_go_comes_from_the_supervisor(pair: Pair) -> None:
    stage = stage_of(pair)
    message.send(pair[0], {"event": "go"})
    assert stage.wait_for_go() == {"event": "go"}
    pair[0].close()
    with pytest.raises(StageError, match="went away"):
        stage.wait_for_go()


def test_go_comes_through_the_gate_and_errors_go_back_there(pair: Pair, tmp_path: Path) -> None:
    stage = stage_of(pair)
    gate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    gate.bind(str(tmp_path / "gate"))
    gate.listen(1)
    stage.orders.gate = gate
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
        caller.connect(str(tmp_path / "gate"))
        message.send(caller, {"event": "go", "state": {"pid": 7}})
        assert stage.wait_for_go()["state"] == {"pid": 7}
        message.send(stage.sync, {"event": "error"})
        found = message.receive(caller)
    assert found is not None and found[0] == {"event": "error"}
    stage.sync.close()


def test_the_oom_score_is_left_alone_or_written() -> None:
    adjust_oom_score({})

    def raised() -> None:
        adjust_oom_score({"oomScoreAdj": 321})
        assert Path("/proc/self/oom_score_adj").read_text() == "321\n"
        with pytest.raises(StageError, match="oom_score_adj 9999"):
            adjust_oom_score({"oomScoreAdj": 9999})

    assert children.code_of(raised) == 0
