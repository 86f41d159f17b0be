import errno
import os
from pathlib import Path

import pytest

from sampan.runtime.cgroup.files import CgroupError
from sampan.runtime.cgroup.v1 import CgroupV1, _inherited

FILES = {
    "memory": "memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes memory.swappiness",
    "cpu": "cpu.shares cpu.cfs_period_us cpu.cfs_quota_us",
    "cpuset": "cpuset.cpus cpuset.mems",
    "pids": "pids.max",
    "devices": "devices.allow devices.deny",
}


def made(tmp_path: Path, names: str = "memory cpu cpuset pids devices") -> CgroupV1:
    """A cgroup in plain directories that look like hierarchies."""
    for name in names.split():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "cpuset.cpus").write_text("0-1\n")
        (folder / "cpuset.mems").write_text("0\n")
    cgroup = CgroupV1("/sampan/x", {name: str(tmp_path / name) for name in names.split()})
    for name in names.split():
        for folder in ("sampan", "sampan/x"):
            (tmp_path / name / folder).mkdir()
            for file in FILES[name].split():
                (tmp_path / name / folder / file).write_text("")
    return cgroup


def value(tmp_path: Path, name: str, file: str) -> str:
    return (tmp_path / name / "sampan/x" / file).read_text()


def test_limits_reach_their_files(tmp_path: Path) -> None:
    cgroup = made(tmp_path)
    (tmp_path / "memory/sampan/x/memory.memsw.limit_in_bytes").write_text("9223372036854771712")
    cgroup.apply(
        {
            "memory": {"limit": 1 << 26, "swap": 1 << 27, "reservation": 1 << 25, "swappiness": 0},
            "cpu": {"shares": 512, "period": 100000, "quota": 50000, "cpus": "0", "mems": "0"},
            "pids": {"limit": 50},
        }
    )
    assert value(tmp_path, "memory", "memory.limit_in_bytes").startswith(str(1 << 26))
    assert value(tmp_path, "memory", "memory.memsw.limit_in_bytes").startswith(str(1 << 27))
    assert value(tmp_path, "memory", "memory.swappiness") == "0"
    assert value(tmp_path, "cpu", "cpu.cfs_quota_us") == "50000"
    assert value(tmp_path, "cpuset", "cpuset.cpus") == "0"
    assert value(tmp_path, "pids", "pids.max") == "50"


def test_no_limit_is_written_where_none_is_asked(tmp_path: Path) -> None:
    made(tmp_path).apply({})
    assert value(tmp_path, "pids", "pids.max") == value(tmp_path, "cpu", "cpu.shares") == ""


def test_a_negative_number_of_processes_means_no_limit(tmp_path: Path) -> None:
    made(tmp_path).apply({"pids": {"limit": -1}})
    assert value(tmp_path, "pids", "pids.max") == "max"


def test_device_rules_are_written_in_order(tmp_path: Path) -> None:
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]
    made(tmp_path).apply({"devices": rules})
    assert value(tmp_path, "devices", "devices.deny") == "a *:* rwm"
    assert value(tmp_path, "devices", "devices.allow") == "c 1:3 rw"


def test_a_limit_without_its_controller_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CgroupError, match="no pids controller"):
        made(tmp_path, "memory").apply({"pids": {"limit": 5}})


def test_a_refused_value_is_named(tmp_path: Path) -> None:
    cgroup = made(tmp_path, "cpu")
    os.unlink(tmp_path / "cpu/sampan/x/cpu.shares")
    with pytest.raises(CgroupError, match=r"'7' to .*cpu\.shares"):
        cgroup.apply({"cpu": {"shares": 7}})


def test_a_new_cpuset_gets_what_its_parent_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "cpuset"
    root.mkdir()
    (root / "cpuset.cpus").write_text("0-1\n")
    (root / "cpuset.mems").write_text("0\n")

    def make(folder: str) -> bool:
        os.mkdir(folder)
        for name in ("cpuset.cpus", "cpuset.mems"):
            Path(folder, name).write_text("\n")
        return True

    monkeypatch.setattr("sampan.runtime.cgroup.files.make", make)
    CgroupV1("/sampan/x", {"cpuset": str(root)}).create()
    assert (root / "sampan/x/cpuset.cpus").read_text().startswith("0-1")


def test_a_cpuset_that_somebody_left_empty_is_filled_on_the_way(tmp_path: Path) -> None:
    for folder, value in (("", "0-3\n"), ("sampan", "")):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            (tmp_path / folder / name).write_text(value)
    assert _inherited(str(tmp_path / "sampan"), "cpuset.cpus") == "0-3"
    assert (tmp_path / "sampan/cpuset.cpus").read_text() == "0-3"


def test_a_process_is_moved_into_each_hierarchy_once(tmp_path: Path) -> None:
    for name in ("cpu,cpuacct", "pids"):
        (tmp_path / name / "x").mkdir(parents=True)
        (tmp_path / name / "x/cgroup.procs").write_text("")
    joint = str(tmp_path / "cpu,cpuacct")
    cgroup = CgroupV1("/x", {"cpu": joint, "cpuacct": joint, "pids": str(tmp_path / "pids")})
    cgroup.adopt(77)
    assert (
        (tmp_path / "pids/x/cgroup.procs").read_text() == (tmp_path / "cpu,cpuacct/x/cgroup.procs").read_text() == "77"
    )


def test_a_process_enters_cgroups_inside(tmp_path: Path) -> None:
    cgroup = made(tmp_path, "memory pids")
    Path(cgroup.folders["memory"], "foo").mkdir()
    Path(cgroup.folders["memory"], "foo/tasks").write_text("")
    Path(cgroup.folders["pids"], "tasks").write_text("")
    fds = cgroup.below({"": "foo"}).entry_fds()
    assert os.readlink(f"/proc/self/fd/{fds[0]}") == f"{cgroup.folders['memory']}/foo/tasks"
    for fd in fds:
        os.close(fd)


def test_every_directory_that_can_go_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("memory", "pids"):
        (tmp_path / name / "x").mkdir(parents=True)
    cgroup = CgroupV1("/x", {name: str(tmp_path / name) for name in ("memory", "pids")})
    rmdir = os.rmdir

    def busy(path: str) -> None:
        if "memory" in path:
            raise OSError(errno.EBUSY, "busy")
        rmdir(path)

    monkeypatch.setattr(os, "rmdir", busy)
    with pytest.raises(OSError, match="busy"):
        cgroup.remove()
    assert not (tmp_path / "pids/x").exists()


def test_without_a_freezer_nothing_is_frozen_nor_can_be(tmp_path: Path) -> None:
    cgroup = made(tmp_path, "memory")
    assert not cgroup.is_frozen()
    with pytest.raises(CgroupError, match="freezer controller is not mounted"):
        cgroup.freeze(frozen=True)


def test_it_is_frozen_by_itself_not_from_above(tmp_path: Path) -> None:
    cgroup = CgroupV1("/x", {"freezer": str(tmp_path)})
    assert not cgroup.is_frozen()  # it is gone
    (tmp_path / "x").mkdir()
    (tmp_path / "x/freezer.self_freezing").write_text("0\n")
    assert not cgroup.is_frozen()
    (tmp_path / "x/freezer.self_freezing").write_text("1\n")
    assert cgroup.is_frozen()


def test_oom_kills_are_counted_from_the_kernels_file(tmp_path: Path) -> None:
    cgroup = made(tmp_path, "memory")
    assert cgroup.oom_kills() == 0
    (tmp_path / "memory/sampan/x/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert cgroup.oom_kills() == 2
