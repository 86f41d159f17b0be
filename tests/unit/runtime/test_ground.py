import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from sampan.linux.process import start_ticks
from sampan.runtime import ground
from sampan.runtime.request import InitOrders
from support import children


class FakeCgroup:
    """Notes what is done to it."""

    path = "/sampan/c1"

    def __init__(self) -> None:
        self.done: list[Any] = []

    def create(self) -> None:
        self.done.append("create")

    def apply(self, resources: dict[str, Any]) -> None:
        self.done.append(resources)


def orders(folder: Path) -> InitOrders:
    own = {
        "id": "c1",
        "spec": {},
        "rootfs": [],
        "user": "",
        "groups": [],
        "create_cwd": True,
        "filter": None,
        "tty": False,
    }
    return InitOrders({**own, "exec_dir": str(folder / "exec"), "exit_path": str(folder / "exit.json")})


def lay_out(folder: Path) -> None:
    """To be called in a child, for it changes the working directory."""
    cgroup: Any = FakeCgroup()
    ground.lay_out(orders(folder), cgroup).close()
    assert os.getcwd() == "/"


def test_the_directory_is_its_owners_and_tells_who_made_it(tmp_path: Path) -> None:
    def life() -> None:
        lay_out(tmp_path)
        state = json.loads((tmp_path / "exec/state.json").read_text())
        assert state == {
            "pid": os.getpid(),
            "start_ticks": start_ticks(os.getpid()),
            "shim_pid": os.getppid(),
            "cgroup": "/sampan/c1",
            "exit_path": str(tmp_path / "exit.json"),
        }

    assert children.code_of(life) == 0
    assert stat.S_IMODE((tmp_path / "exec").stat().st_mode) == 0o700
    assert sorted(os.listdir(tmp_path / "exec")) == [ground.SOCKET, ground.STATE]


def test_the_socket_takes_connections_before_anybody_accepts(tmp_path: Path) -> None:
    def life() -> None:
        cgroup: Any = FakeCgroup()
        listener = ground.lay_out(orders(tmp_path), cgroup)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.connect(str(tmp_path / "exec" / ground.SOCKET))
        listener.close()

    assert children.code_of(life) == 0


def test_a_long_directory_name_is_no_obstacle_to_its_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    assert children.code_of(lambda: lay_out(deep)) == 0
    assert (deep / "exec" / ground.SOCKET).is_socket()


def test_the_record_of_the_run_before_goes(tmp_path: Path) -> None:
    (tmp_path / "exit.json").write_text("{}")
    assert children.code_of(lambda: lay_out(tmp_path)) == 0
    assert not (tmp_path / "exit.json").exists()


def test_a_directory_that_somebody_has_is_left_alone_and_so_is_the_record(tmp_path: Path) -> None:
    (tmp_path / "exec").mkdir()
    (tmp_path / "exit.json").write_text("{}")

    def life() -> None:
        with pytest.raises(FileExistsError):
            lay_out(tmp_path)

    assert children.code_of(life) == 0
    assert os.listdir(tmp_path / "exec") == [] and (tmp_path / "exit.json").exists()


def test_cgroups_are_made_then_limited() -> None:
    cgroup: Any = FakeCgroup()
    ground.limit(cgroup, {"pids": {"limit": 5}})
    assert cgroup.done == ["create", {"pids": {"limit": 5}}]


@pytest.mark.parametrize(
    ("state", "is_ours"),
    [('{"pid": 2, "shim_pid": 7}', True), ('{"pid": 2, "shim_pid": 8}', False), ('{"pid": 2, "sh', True), (None, True)],
)
def test_a_directory_is_a_shims_unless_another_is_named_in_it(tmp_path: Path, state: str | None, is_ours: bool) -> None:
    assert not ground.is_laid_for(7, str(tmp_path / "absent"))
    if state is not None:
        (tmp_path / ground.STATE).write_text(state)
    assert ground.is_laid_for(7, str(tmp_path)) is is_ours


def test_a_successor_is_written_down_though_the_path_is_covered(tmp_path: Path) -> None:
    def life() -> None:
        lay_out(tmp_path)
        folder = os.open(tmp_path / "exec", os.O_PATH | os.O_DIRECTORY)
        os.rename(tmp_path / "exec", tmp_path / "hidden")
        ground.amend(folder, os.getppid())
        state = json.loads((tmp_path / "hidden/state.json").read_text())
        assert (state["pid"], state["start_ticks"]) == (os.getppid(), start_ticks(os.getppid()))
        assert state["shim_pid"] == os.getppid() and state["cgroup"] == "/sampan/c1"
        assert sorted(os.listdir(tmp_path / "hidden")) == ["shim.sock", "state.json"]

    assert children.code_of(life) == 0
