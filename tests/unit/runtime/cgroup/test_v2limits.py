from pathlib import Path
from typing import Any

import pytest

from sampan.runtime.cgroup.files import CgroupError
from sampan.runtime.cgroup.v2limits import apply, check, cpu_weight, io_weight, swap_limit, unified, values

MIB = 1 << 20


def found(resources: dict[str, Any], **present: str) -> dict[str, object]:
    """The values by file, with these files present ("_" stands for a dot)."""
    texts = {"memory.swap.max": "max"} | {name.replace("_", "."): text for name, text in present.items()}
    return dict(values(resources, texts.get))


def test_oci_limits_become_version_2_files() -> None:
    assert found(
        {
            "memory": {"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB},
            "cpu": {"shares": 1024, "quota": 50000, "period": 100000, "cpus": "0-1", "mems": "0"},
            "pids": {"limit": 50},
            "blockIO": {"weight": 500, "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 1000}]},
            "hugepageLimits": [{"pageSize": "2MB", "limit": 4}],
            "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10}},
        }
    ) == {
        "memory.max": 64 * MIB,
        "memory.swap.max": 32 * MIB,  # the OCI value counts memory and swap together
        "memory.low": 32 * MIB,
        "cpu.weight": 100,
        "cpu.max": "50000 100000",
        "cpuset.cpus": "0-1",
        "cpuset.mems": "0",
        "pids.max": 50,
        "io.weight": 4950,
        "io.max": "8:0 wbps=1000",
        "hugetlb.2MB.max": 4,
        "rdma.max": "mlx5_1 hca_handle=3 hca_object=10",
    }


def test_unlimited_is_max() -> None:
    unlimited = {"memory": {"limit": -1, "swap": -1, "reservation": -1}, "cpu": {"quota": -1}, "pids": {"limit": -1}}
    assert found(unlimited) == {
        "memory.swap.max": "max",
        "memory.max": "max",
        "memory.low": "max",
        "cpu.max": "max",
        "pids.max": "max",
    }


@pytest.mark.parametrize(
    ("memory", "limit", "swap"),
    [
        ({}, 0, None),
        ({"limit": 10}, 10, None),
        ({"limit": -1}, -1, -1),  # no limit on memory is none on swap
        ({"swap": 0}, 0, 0),  # none at all
        ({"limit": 10, "swap": 10}, 10, 0),
        ({"limit": 10, "swap": 30}, 10, 20),
        ({"limit": -1, "swap": 30}, -1, 30),
        ({"limit": 10, "swap": -1}, 10, -1),
    ],
)
def test_memory_with_swap_becomes_swap_alone(memory: dict[str, int], limit: int, swap: int | None) -> None:
    assert swap_limit(memory, limit) == swap


def test_swap_needs_a_limit_on_memory_to_be_told_from_it() -> None:
    with pytest.raises(CgroupError, match="without the memory limit"):
        found({"memory": {"swap": 10}})
    with pytest.raises(CgroupError, match=">= memory limit"):
        found({"memory": {"swap": 10, "limit": 20}})
    assert found({"memory": {"swap": 10}}, memory_max="4")["memory.swap.max"] == 6
    assert found({"memory": {"swap": 10}}, memory_max="max")["memory.swap.max"] == 10


def test_without_swap_in_the_kernel_there_is_nothing_to_limit() -> None:
    assert values({"memory": {"limit": 5, "swap": 9}}, {}.get) == [("memory.max", 5)]


def test_a_limit_below_the_usage_is_rejected_when_that_is_asked() -> None:
    memory = {"limit": 5, "checkBeforeUpdate": True}
    with pytest.raises(CgroupError, match="rejecting memory limit 5 <= usage 7"):
        found({"memory": memory}, memory_current="7")
    with pytest.raises(CgroupError, match=r"rejecting memory\+swap limit 6 <= usage 7"):
        found({"memory": {"limit": 9, "swap": 6, "checkBeforeUpdate": True}}, memory_current="7")
    assert found({"memory": memory}, memory_current="4") == {"memory.max": 5}
    assert found({"memory": {"limit": 5}}, memory_current="7") == {"memory.max": 5}


def test_a_period_alone_keeps_the_quota_and_a_quota_alone_the_period() -> None:
    assert found({"cpu": {"period": 5000}}, cpu_max="2500 10000") == {"cpu.max": "2500 5000"}
    assert found({"cpu": {"period": 5000}}) == {"cpu.max": "max 5000"}
    assert found({"cpu": {"quota": 5000}}) == {"cpu.max": "5000"}


def test_a_burst_of_zero_and_not_idle_are_said() -> None:
    assert found({"cpu": {"burst": 0, "idle": 0}}) == {"cpu.max.burst": 0, "cpu.idle": 0}


# What runc and crun make of them.
@pytest.mark.parametrize(("shares", "weight"), [(1, 1), (2, 1), (3, 2), (1024, 100), (260000, 9929), (262144, 10000)])
def test_shares_become_a_weight_so_that_the_defaults_meet(shares: int, weight: int) -> None:
    assert cpu_weight(shares) == weight


def test_the_ends_of_the_block_io_weights_meet() -> None:
    assert (io_weight(10), io_weight(1000)) == (1, 10000)


def test_bfq_takes_weights_as_they_are() -> None:
    block = {"blockIO": {"weight": 500, "weightDevice": [{"major": 8, "minor": 1, "weight": 10}, {"leafWeight": 1}]}}
    assert values(block, {"io.bfq.weight": "default 100"}.get) == [
        ("io.bfq.weight", 500),
        ("io.bfq.weight", "8:1 10"),
    ]
    assert values(block, {}.get)[1] == ("io.weight", "8:1 1")


def test_hugepage_reservations_are_limited_where_they_are_counted() -> None:
    limits = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4}]}
    assert found(limits, hugetlb_2MB_rsvd_max="max") == {"hugetlb.2MB.max": 4, "hugetlb.2MB.rsvd.max": 4}


@pytest.mark.parametrize(
    "resources",
    [
        {"network": {"classID": 5}},
        {"network": {"priorities": [{"name": "eth0", "priority": 1}]}},
        {"cpu": {"realtimeRuntime": 5}},
    ],
)
def test_what_version_2_cannot_do_is_an_error(resources: dict[str, Any]) -> None:
    with pytest.raises(CgroupError, match="not supported on cgroup v2"):
        found(resources)


def test_what_version_2_has_no_word_for_is_passed_over() -> None:
    memory = {"kernel": 1, "kernelTCP": 1, "swappiness": 5, "disableOOMKiller": True, "useHierarchy": True}
    assert found({"memory": memory, "network": {"classID": 0}, "pids": {"limit": 0}}) == {}


def test_unified_keys_are_files_of_a_controller() -> None:
    assert unified({"unified": {"memory.high": "1G", "cgroup.max.depth": 3}}) == [
        ("memory.high", "1G"),
        ("cgroup.max.depth", "3"),
    ]
    with pytest.raises(CgroupError, match="no slashes"):
        unified({"unified": {"../memory.high": "1"}})
    with pytest.raises(CgroupError, match=r"not the form CONTROLLER\.VALUE `NOT-A-VALID-KEY`"):
        unified({"unified": {"NOT-A-VALID-KEY": "1"}})


def test_nothing_is_written_before_everything_is_understood(tmp_path: Path) -> None:
    (tmp_path / "pids.max").write_text("old")
    with pytest.raises(CgroupError):
        apply(str(tmp_path), {"pids": {"limit": 5}, "unified": {"x": "1"}})
    with pytest.raises(CgroupError):
        check(str(tmp_path), {"unified": {"x": "1"}})
    assert (tmp_path / "pids.max").read_text() == "old"


def test_each_line_of_a_unified_value_is_a_write_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "io.max").write_text("")
    apply(str(tmp_path), {"unified": {"io.max": "8:0 rbps=1\n8:16 rbps=22", "empty.file": ""}})
    # A plain file keeps the last write; the kernel's keeps both.
    assert (tmp_path / "io.max").read_text() == "8:16 rbps=22"


def test_a_missing_controller_is_named(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    with pytest.raises(CgroupError, match="the requested cgroup controller `foo` is not available"):
        apply(str(tmp_path), {"unified": {"foo.bar": "x"}})
    with pytest.raises(CgroupError, match=r"controller `pids` is not available, which pids\.max needs"):
        apply(str(tmp_path), {"pids": {"limit": 4}})
    with pytest.raises(CgroupError, match=r"memory\.DOESNTEXIST: No such file or directory"):
        apply(str(tmp_path), {"unified": {"memory.DOESNTEXIST": "baz"}})
