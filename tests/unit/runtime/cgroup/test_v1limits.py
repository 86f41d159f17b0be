import os
from pathlib import Path
from typing import Any

import pytest

from sampan.runtime.cgroup import files
from sampan.runtime.cgroup.files import CgroupError
from sampan.runtime.cgroup.v1limits import CONTROLLERS, apply


def found(controller: str, resources: dict[str, Any], folder: Path) -> list[tuple[str, object]]:
    return CONTROLLERS[controller](str(folder), resources)


def test_memory_limits_in_the_order_of_their_dependence(tmp_path: Path) -> None:
    (tmp_path / "memory.memsw.limit_in_bytes").write_text("")
    (tmp_path / "memory.kmem.tcp.limit_in_bytes").write_text("")
    memory = {"limit": 5, "swap": 9, "reservation": 3, "kernel": 7, "kernelTCP": 8, "swappiness": 0}
    assert found("memory", {"memory": memory | {"disableOOMKiller": True, "useHierarchy": True}}, tmp_path) == [
        ("memory.limit_in_bytes", 5),
        ("memory.memsw.limit_in_bytes", 9),
        ("memory.soft_limit_in_bytes", 3),
        ("memory.kmem.tcp.limit_in_bytes", 8),
        ("memory.swappiness", 0),
        ("memory.oom_control", 1),
    ]


def test_no_limit_on_memory_is_none_on_memory_with_swap(tmp_path: Path) -> None:
    assert found("memory", {"memory": {"limit": -1}}, tmp_path) == [("memory.limit_in_bytes", -1)]
    (tmp_path / "memory.memsw.limit_in_bytes").write_text("")
    both = [("memory.limit_in_bytes", -1), ("memory.memsw.limit_in_bytes", -1)]
    assert found("memory", {"memory": {"limit": -1}}, tmp_path) == both


def test_hierarchical_accounting_cannot_be_switched_off_silently(tmp_path: Path) -> None:
    assert found("memory", {"memory": {"useHierarchy": False}}, tmp_path) == [("memory.use_hierarchy", 0)]


def test_cpu_limits(tmp_path: Path) -> None:
    cpu = {"shares": 512, "period": 5, "quota": -1, "realtimePeriod": 7, "realtimeRuntime": 6, "idle": 0, "burst": 0}
    pairs = [
        ("cpu.shares", 512),
        ("cpu.cfs_period_us", 5),
        ("cpu.cfs_quota_us", -1),
        ("cpu.rt_period_us", 7),
        ("cpu.rt_runtime_us", 6),
    ]
    assert found("cpu", {"cpu": cpu}, tmp_path) == [*pairs, ("cpu.idle", 0)]  # a kernel without bursts
    (tmp_path / "cpu.cfs_burst_us").write_text("")
    assert found("cpu", {"cpu": cpu}, tmp_path) == [*pairs, ("cpu.cfs_burst_us", 0), ("cpu.idle", 0)]


def test_block_io_weights_go_to_the_scheduler_that_there_is(tmp_path: Path) -> None:
    device = {"major": 8, "minor": 0, "weight": 5, "leafWeight": 6}
    block = {"blockIO": {"weight": 500, "leafWeight": 400, "weightDevice": [device]}}
    leaves = [("blkio.leaf_weight", 400), ("blkio.leaf_weight_device", "8:0 6")]
    own = [("blkio.bfq.weight", 500), leaves[0], ("blkio.bfq.weight_device", "8:0 5"), leaves[1]]
    assert found("blkio", block, tmp_path) == own
    (tmp_path / "blkio.weight").write_text("")
    assert found("blkio", block, tmp_path)[0] == ("blkio.weight", 500)


def test_throttles_networks_huge_pages_and_rdma(tmp_path: Path) -> None:
    rate = [{"major": 8, "minor": 0, "rate": 9}]
    assert found("blkio", {"blockIO": {"throttleReadIOPSDevice": rate}}, tmp_path) == [
        ("blkio.throttle.read_iops_device", "8:0 9")
    ]
    network = {"network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]}}
    assert found("net_cls", network, tmp_path) == [("net_cls.classid", 1048577)]
    assert found("net_prio", network, tmp_path) == [("net_prio.ifpriomap", "eth0 500")]
    huge = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4}]}
    assert found("hugetlb", huge, tmp_path) == [("hugetlb.2MB.limit_in_bytes", 4)]
    (tmp_path / "hugetlb.2MB.rsvd.limit_in_bytes").write_text("")
    assert found("hugetlb", huge, tmp_path)[1] == ("hugetlb.2MB.rsvd.limit_in_bytes", 4)
    assert found("rdma", {"rdma": {"mlx4_0": {"hcaObjects": 7}}}, tmp_path) == [("rdma.max", "mlx4_0 hca_object=7")]


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_nothing_is_asked_of_a_controller_by_an_empty_config(tmp_path: Path, controller: str) -> None:
    empty: dict[str, Any] = {"memory": {}, "cpu": {}, "pids": {}, "blockIO": {}, "network": {}}
    assert found(controller, {}, tmp_path) == found(controller, empty, tmp_path) == []


def test_cpu_sets_do_not_need_the_cpu_controller() -> None:
    with pytest.raises(CgroupError, match=r"no cpuset controller mounted, which cpuset\.cpus needs"):
        apply({}, {"cpu": {"cpus": "0"}})
    with pytest.raises(CgroupError, match="no net_cls controller"):
        apply({}, {"network": {"classID": 4}})


def test_unified_keys_are_of_version_2() -> None:
    with pytest.raises(CgroupError, match="cannot use unified on cgroup v1"):
        apply({}, {"unified": {"memory.high": "1"}})
    apply({}, {"unified": {}})


def test_shares_that_the_kernel_clips_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def clip(folder: str, pairs: object) -> None:
        Path(folder, "cpu.shares").write_text("262144\n")

    monkeypatch.setattr(files, "write_together", clip)
    with pytest.raises(CgroupError, match="the maximum allowed cpu-shares is 262144"):
        apply({"cpu": str(tmp_path)}, {"cpu": {"shares": 1 << 20}})
    with pytest.raises(CgroupError, match="the minimum allowed cpu-shares is 262144"):
        apply({"cpu": str(tmp_path)}, {"cpu": {"shares": 1}})


def test_a_memory_limit_below_the_usage_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.usage_in_bytes").write_text("70\n")
    (tmp_path / "memory.max_usage_in_bytes").write_text("90\n")

    def refuse(folder: str, pairs: object) -> None:
        raise CgroupError(16, "busy")

    monkeypatch.setattr(files, "write_together", refuse)
    with pytest.raises(CgroupError, match=r"unable to set memory limit to 5 \(current usage: 70, peak usage: 90\)"):
        apply({"memory": str(tmp_path)}, {"memory": {"limit": 5}})


class Devices:
    """A devices cgroup as plain files that remember all writes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders = {"devices": str(folder)}
        self.writes: list[tuple[str, str]] = []
        (folder / "devices.list").write_text("c 1:3 rw\nc 1:5 rwm\n")
        monkeypatch.setattr(files, "write", lambda folder, name, text: self.writes.append((name, text)))


def test_a_plain_list_is_told_to_the_kernel_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = Devices(tmp_path, monkeypatch)
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "u", "major": 1, "minor": 3, "access": "rw"}]
    apply(devices.folders, {"devices": rules})
    assert devices.writes == [("devices.deny", "a *:* rwm"), ("devices.allow", "c 1:3 rw")]


def test_rules_that_the_kernel_would_misread_are_worked_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = Devices(tmp_path, monkeypatch)
    rules = [
        {"allow": False},
        {"allow": True, "type": "c", "major": 1, "minor": 3},
        {"allow": False, "type": "c", "major": 1, "access": "m"},
    ]
    apply(devices.folders, {"devices": rules})
    assert devices.writes == [("devices.deny", "a *:* rwm"), ("devices.allow", "c 1:3 rw")]
    devices.writes.clear()
    apply(devices.folders, {"devices": [{"allow": False}, {"allow": True, "type": "a", "access": "m"}]})
    allowed = [("devices.allow", "b *:* m"), ("devices.allow", "c *:* m")]
    assert devices.writes == [("devices.deny", "a *:* rwm"), *allowed]


def test_on_a_running_container_only_what_changes_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = Devices(tmp_path, monkeypatch)
    rules = [{"allow": False}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]
    apply(devices.folders, {"devices": rules}, live=True)
    assert devices.writes == [("devices.allow", "c 1:3 m"), ("devices.deny", "c 1:5 rwm")]


def test_devices_cannot_be_denied_without_their_controller() -> None:
    apply({}, {"devices": [{"allow": True}]})
    with pytest.raises(CgroupError, match="no devices controller"):
        apply({}, {"devices": [{"allow": False}]})


def test_only_being_rootless_excuses_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: str, name: str, value: object) -> None:
        raise CgroupError(1, os.strerror(1))

    monkeypatch.setattr(files, "write", refuse)
    monkeypatch.setattr(files, "is_rootless", lambda: True)
    apply({"devices": str(tmp_path)}, {"devices": [{"allow": False}]})
    monkeypatch.setattr(files, "is_rootless", lambda: False)
    with pytest.raises(CgroupError):
        apply({"devices": str(tmp_path)}, {"devices": [{"allow": False}]})
