import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.systemd_bus import FakeSystemd
from sampan.runtime.cgroup import files
from sampan.runtime.cgroup.contract import Cgroup
from sampan.runtime.cgroup.files import CgroupError
from sampan.runtime.cgroup.systemd import driver
from sampan.runtime.cgroup.v1 import CgroupV1
from sampan.runtime.cgroup.v2 import CgroupV2

FILES = "cgroup.procs cgroup.subtree_control memory.max pids.max cpu.max"


class World:
    """A systemd with a hierarchy of version 2 in plain files; unified, so that limits can be read back."""

    def __init__(self, tmp_path: Path, fake: FakeSystemd) -> None:
        self.root = tmp_path / "cgroup"
        self.systemd = fake
        (self.root / "x.slice").mkdir(parents=True)
        (self.root / "cgroup.controllers").write_text("memory pids\n")
        for folder in (self.root, self.root / "x.slice"):
            (folder / "cgroup.subtree_control").write_text("memory pids\n")
        fake.cgroups = str(self.root)

    def at(self, path: str) -> Cgroup:
        return CgroupV2(path, str(self.root))

    def cgroup(self, text: str = "x.slice:p:n", **annotations: str) -> driver.SystemdCgroup:
        return driver.cgroup_for(text, annotations, at=self.at)

    def file(self, name: str) -> str:
        return (self.root / "x.slice/p-n.scope" / name).read_text()

    def fill(self) -> None:
        """What the kernel would have in the scope's directory."""
        for name in FILES.split():
            (self.root / "x.slice/p-n.scope" / name).write_text("")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    fake = FakeSystemd(str(tmp_path))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", fake.address)
    monkeypatch.setattr(files, "is_rootless", lambda: False)
    with fake.serving():
        yield World(tmp_path, fake)


def started(world: World, resources: "dict[str, Any]", **annotations: str) -> driver.SystemdCgroup:
    cgroup = world.cgroup(**annotations)
    cgroup.create()
    cgroup.apply(resources)
    job = world.systemd._job

    def job_and_files(message: Any, method: str) -> list[Any]:
        replies = job(message, method)
        if method == "StartTransientUnit":
            world.fill()
        return replies

    world.systemd._job = job_and_files  # type: ignore[method-assign]
    cgroup.adopt(77)
    return cgroup


def test_nothing_is_there_before_the_first_process(world: World) -> None:
    cgroup = world.cgroup()
    cgroup.create()
    cgroup.apply({"pids": {"limit": 5}})
    assert not os.path.exists(cgroup.folders[""]) and world.systemd.calls == [] and cgroup.must_adopt
    assert cgroup.clone_fd() == 0


def test_the_scope_starts_with_the_process_and_the_limits(world: World) -> None:
    started(world, {"pids": {"limit": 5}}, **{"org.systemd.property.CollectMode": "'inactive'"})
    unit = world.systemd.units["p-n.scope"]
    assert (unit["PIDs"], unit["TasksMax"], unit["CollectMode"], unit["Slice"]) == ([77], 5, "inactive", "x.slice")
    assert world.file("pids.max") == "5"


def test_one_more_process_is_attached_to_the_scope(world: World) -> None:
    started(world, {}).adopt(78)
    assert world.systemd.asked("AttachProcessesToUnit") == [("p-n.scope", "", [78])]
    assert len(world.systemd.asked("StartTransientUnit")) == 1


def test_an_update_tells_systemd_before_the_kernel(world: World) -> None:
    cgroup = started(world, {})
    cgroup.update({"pids": {"limit": 6}})
    assert world.systemd.asked("SetUnitProperties") == [("p-n.scope", True, [("TasksMax", ("t", 6))])]
    assert world.file("pids.max") == "6"


def test_apply_on_a_started_scope_is_an_update(world: World) -> None:
    started(world, {}).apply({"pids": {"limit": 6}})
    assert world.systemd.asked("SetUnitProperties") and world.file("pids.max") == "6"


def test_half_of_a_pair_is_said_with_the_other_half(world: World) -> None:
    cgroup = started(world, {})
    Path(cgroup.folders[""], "cpu.max").write_text("20000 50000\n")
    cgroup.update({"cpu": {"period": 100000}})
    said = dict(world.systemd.asked("SetUnitProperties")[0][2])
    assert said == {"CPUQuotaPeriodUSec": ("t", 100000), "CPUQuotaPerSecUSec": ("t", 200000)}
    Path(cgroup.folders[""], "memory.max").write_text("100\n")
    Path(cgroup.folders[""], "memory.swap.max").write_text("max\n")
    cgroup.update({"memory": {"swap": 150}})
    assert dict(world.systemd.asked("SetUnitProperties")[1][2])["MemorySwapMax"] == ("t", 50)


def test_what_cannot_be_is_found_out_before_systemd_is_told(world: World) -> None:
    cgroup = started(world, {})
    Path(cgroup.folders[""], "memory.current").write_text("900\n")
    for resources in ({"memory": {"limit": 9, "checkBeforeUpdate": True}}, {"unified": {"x": "1"}}):
        with pytest.raises(CgroupError):
            cgroup.update(resources)
    assert world.systemd.asked("SetUnitProperties") == []


def test_its_path_makes_the_same_again(world: World) -> None:
    first = started(world, {})
    again = world.cgroup(first.path)
    assert (again.unit, again.path, again.folders) == (first.unit, first.path, first.folders)


def test_removal_stops_the_unit_and_what_is_left(world: World) -> None:
    cgroup = started(world, {})
    for name in FILES.split():
        os.unlink(f"{cgroup.folders['']}/{name}")
    cgroup.remove()
    cgroup.remove()
    assert world.systemd.units == {} and not os.path.exists(cgroup.folders[""])


def test_on_version_1_devices_change_while_nobody_looks(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(CgroupV1, "freeze", lambda self, *, frozen: order.append("freeze" if frozen else "thaw"))
    monkeypatch.setattr(CgroupV1, "update", lambda self, resources: order.append("files"))
    root = str(tmp_path / "v1")
    cgroup = driver.cgroup_for("x.slice:p:n", {}, at=lambda path: CgroupV1(path, {"name=systemd": root}))
    cgroup.update({"devices": [{"allow": False}]})
    cgroup.update({"pids": {"limit": 4}})
    assert order == ["freeze", "thaw", "files", "files"]


def test_on_version_1_the_process_enters_what_systemd_leaves_alone(world: World, tmp_path: Path) -> None:
    for name in ("freezer", "systemd"):
        (tmp_path / name / "x.slice/p-n.scope").mkdir(parents=True)
        (tmp_path / name / "x.slice/p-n.scope/cgroup.procs").write_text("")
    mounts = {"freezer": str(tmp_path / "freezer"), "name=systemd": str(tmp_path / "systemd")}
    driver.cgroup_for("x.slice:p:n", {}, at=lambda path: CgroupV1(path, mounts)).adopt(77)
    assert (tmp_path / "freezer/x.slice/p-n.scope/cgroup.procs").read_text() == "77"
    assert (tmp_path / "systemd/x.slice/p-n.scope/cgroup.procs").read_text() == ""


def test_a_user_asks_the_users_systemd_where_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "is_rootless", lambda: True)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", world.systemd.address)
    assert world.cgroup(":p:n").path == "/user.slice/user-7.slice/user@7.service/user.slice/p-n.scope"
