"""Limits become cgroup settings by Docker's rules."""

from typing import Any

import msgspec
import pytest

from sampan.api.wire.host import HostConfig, Ulimit
from sampan.engine.resources import resources, rlimits

MIB = 1024 * 1024


def found(**options: Any) -> dict[str, Any]:
    return resources(msgspec.convert(options, HostConfig), [], lambda path: [])


def test_without_limits_there_is_little_to_set() -> None:
    assert found() == {"devices": [], "memory": {"disableOOMKiller": False}, "blockIO": {}}


@pytest.mark.parametrize(
    ("options", "swap"),
    [({}, 128 * MIB), ({"MemorySwap": 64 * MIB}, 64 * MIB), ({"MemorySwap": -1}, None)],
)
def test_swap_is_as_much_as_memory_unless_said_otherwise(options: dict[str, int], swap: int | None) -> None:
    memory = found(Memory=64 * MIB, **options)["memory"]
    assert memory["limit"] == 64 * MIB
    assert memory.get("swap") == swap


def test_memory_options_are_passed_on() -> None:
    memory = found(MemoryReservation=32 * MIB, MemorySwappiness=10, OomKillDisable=True)["memory"]
    assert memory == {"reservation": 32 * MIB, "swappiness": 10, "disableOOMKiller": True}
    assert "swappiness" not in found(MemorySwappiness=-1)["memory"]


def test_nano_cpus_are_a_quota_of_a_tenth_of_a_second() -> None:
    assert found(NanoCpus=1_500_000_000)["cpu"] == {"quota": 150_000, "period": 100_000}
    assert found(CpuPeriod=50_000, CpuQuota=20_000, CpusetCpus="0-1", CpuShares=512)["cpu"] == {
        "shares": 512,
        "quota": 20_000,
        "period": 50_000,
        "cpus": "0-1",
    }


@pytest.mark.parametrize(("limit", "expected"), [(77, {"limit": 77}), (0, None), (-1, None), (None, None)])
def test_a_pids_limit_is_set_when_positive(limit: int | None, expected: dict[str, int] | None) -> None:
    assert found(PidsLimit=limit).get("pids") == expected


def test_ulimits_have_their_kernel_names() -> None:
    assert rlimits([Ulimit(name="nofile", hard=-1, soft=5)]) == [{"type": "RLIMIT_NOFILE", "hard": -1, "soft": 5}]
