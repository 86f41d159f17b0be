import os
from pathlib import Path

import pytest

from sampan.runtime.cgroup import files
from sampan.runtime.cgroup.v2 import CgroupV2, cpu_weight, values


def test_oci_limits_become_version_2_files() -> None:
    found = dict(
        values(
            {
                "memory": {"limit": 64 << 20, "swap": 96 << 20, "reservation": 32 << 20},
                "cpu": {"shares": 1024, "quota": 50000, "period": 100000, "cpus": "0-1"},
                "pids": {"limit": 50},
                "blockIO": {"weight": 500, "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 1000}]},
                "hugepageLimits": [{"pageSize": "2MB", "limit": 4}],
                "unified": {"memory.high": "1G"},
            }
        )
    )
    assert found["memory.max"] == 64 << 20
    assert found["memory.swap.max"] == 32 << 20  # the OCI value counts memory and swap together
    assert found["memory.low"] == 32 << 20
    assert found["cpu.max"] == "50000 100000"
    assert found["cpuset.cpus"] == "0-1"
    assert found["pids.max"] == 50
    assert found["io.max"] == "8:0 wbps=1000"
    assert found["hugetlb.2MB.max"] == 4
    assert found["memory.high"] == "1G"


def test_unlimited_is_max() -> None:
    found = dict(values({"memory": {"limit": -1, "swap": -1}, "cpu": {"quota": -1}, "pids": {"limit": -1}}))
    assert found == {
        "memory.swap.max": "max",
        "memory.max": "max",
        "cpu.max": "max 100000",
        "pids.max": "max",
    }


def test_the_ends_of_the_share_range_meet_the_ends_of_the_weight_range() -> None:
    assert (cpu_weight(2), cpu_weight(262144)) == (1, 10000)
    assert cpu_weight(1) == 1
    assert 1 < cpu_weight(1024) < 100


def hierarchy(root: Path, given: str, to_containers: str) -> None:
    """What the root gives on, and what "/sampan" does."""
    (root / "sampan").mkdir()
    (root / "cgroup.controllers").write_text("memory pids\n")
    (root / "cgroup.subtree_control").write_text(f"{given}\n")
    (root / "sampan/cgroup.subtree_control").write_text(f"{to_containers}\n")


def test_controllers_are_enabled_from_the_root_down(tmp_path: Path) -> None:
    hierarchy(tmp_path, "", "")
    assert CgroupV2("/sampan/x", str(tmp_path)).create()
    assert (tmp_path / "sampan/x").is_dir()
    for folder in (tmp_path, tmp_path / "sampan"):
        assert (folder / "cgroup.subtree_control").read_text().startswith("+pids")


def test_what_another_launch_has_not_yet_enabled_is(tmp_path: Path) -> None:
    hierarchy(tmp_path, "memory pids", "memory")
    CgroupV2("/sampan/x", str(tmp_path)).create()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "memory pids\n"
    assert (tmp_path / "sampan/cgroup.subtree_control").read_text().startswith("+pids")


def test_a_hierarchy_that_is_ready_is_not_written_to(tmp_path: Path) -> None:
    hierarchy(tmp_path, "memory pids rdma", "pids memory")
    cgroup = CgroupV2("/sampan/x", str(tmp_path))
    assert cgroup.create()
    assert not cgroup.create()  # it is there
    assert (tmp_path / "sampan/cgroup.subtree_control").read_text() == "pids memory\n"


def place_of(fd: int) -> str:
    path = os.readlink(f"/proc/self/fd/{fd}")
    os.close(fd)
    return path


def test_a_process_is_born_in_the_directory(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/cgroup.subtree_control").write_text("\n")
    cgroup = CgroupV2("/x", str(tmp_path))
    assert place_of(cgroup.clone_fd()) == place_of(cgroup.clone_fd(os.getpid())) == str(tmp_path / "x")


def test_in_a_cgroup_that_the_container_has_divided_it_is_born_beside_the_first_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x/init.scope").mkdir(parents=True)
    (tmp_path / "x/cgroup.subtree_control").write_text("memory pids\n")
    found = {"/proc/77/cgroup": "1:name=old:/\n0::/x/init.scope\n"}
    monkeypatch.setattr(files, "read_all", found.__getitem__)
    assert place_of(CgroupV2("/x", str(tmp_path)).clone_fd(77)) == str(tmp_path / "x/init.scope")


def test_limits_are_written_to_the_directory(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/pids.max").write_text("")
    CgroupV2("/x", str(tmp_path)).apply({"pids": {"limit": 9}})
    assert (tmp_path / "x/pids.max").read_text() == "9"
