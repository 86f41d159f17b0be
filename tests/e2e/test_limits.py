"""Limits as a container sees and feels them: memory, swap, CPU, pids, on cgroup v1 and v2."""

import os

import pytest

from support.api import Api
from support.waiting import eventually

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_busybox,
    pytest.mark.needs_cgroups,
]
IS_V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
MIB = 1 << 20


def read(api: Api, container: str, v1_path: str, v2_path: str) -> str:
    """A file of the container's own cgroup, seen from inside."""
    code, content = api.exec(container, "cat", f"/sys/fs/cgroup/{v2_path if IS_V2 else v1_path}")
    assert code == 0, content
    return content.decode().strip()


def test_limits_stand_in_the_containers_own_cgroup_files(api: Api, image: str) -> None:
    host = {"Memory": 64 * MIB, "MemorySwap": 96 * MIB, "NanoCpus": 500_000_000, "PidsLimit": 50, "CpusetCpus": "0"}
    made = api.started(image, "sleep", "60", host=host)
    assert read(api, made, "memory/memory.limit_in_bytes", "memory.max") == str(64 * MIB)
    assert read(api, made, "pids/pids.max", "pids.max") == "50"
    assert read(api, made, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert read(api, made, "cpuset/cpuset.cpus", "cpuset.cpus") == "0"
    if IS_V2:
        assert read(api, made, "", "memory.swap.max") == str(32 * MIB)


def test_cpu_shares_and_quota_are_passed_on(api: Api, image: str) -> None:
    made = api.started(image, "sleep", "60", host={"CpuShares": 512, "CpuQuota": 20_000, "CpuPeriod": 50_000})
    if IS_V2:
        assert read(api, made, "", "cpu.max") == "20000 50000"
        assert read(api, made, "", "cpu.weight") == str(1 + (512 - 2) * 9999 // 262142)
    else:
        assert read(api, made, "cpu/cpu.shares", "") == "512"
        assert read(api, made, "cpu/cpu.cfs_quota_us", "") == "20000"
        assert read(api, made, "cpu/cpu.cfs_period_us", "") == "50000"


def test_no_limit_means_no_limit(api: Api, image: str) -> None:
    made = api.started(image, "sleep", "60")
    assert read(api, made, "pids/pids.max", "pids.max") == "max"
    memory = read(api, made, "memory/memory.limit_in_bytes", "memory.max")
    assert memory == "max" or int(memory) > 1 << 60


def test_more_memory_than_allowed_is_killed_and_said_so(api: Api, image: str) -> None:
    hog = "dd if=/dev/zero of=/dev/null bs=200M count=1"
    made = api.started(image, "sh", "-c", f"exec {hog}", host={"Memory": 32 * MIB, "MemorySwap": 32 * MIB})
    assert api.wait(made) == 137
    assert api.inspect(made)["State"]["OOMKilled"] is True


def test_a_fork_bomb_is_held(api: Api, image: str) -> None:
    bomb = "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done; echo all"
    made = api.started(image, "sh", "-c", bomb, host={"PidsLimit": 10})
    code = api.wait(made)
    assert code != 0 and b"Resource temporarily unavailable" in api.logs(made)


def test_processes_of_an_exec_count_to_the_same_limit(api: Api, image: str) -> None:
    made = api.started(image, "sleep", "60", host={"PidsLimit": 5})
    code, printed = api.exec(made, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 3 & done; echo all")
    assert code != 0 and b"all" not in printed


def test_half_a_cpu_is_half_a_cpu(api: Api, image: str) -> None:
    spin = "while :; do :; done"
    made = api.started(image, "sh", "-c", spin, host={"NanoCpus": 500_000_000})
    periods = "cpu/cpu.stat"

    def is_throttled() -> bool:
        rows = dict(line.split(" ") for line in read(api, made, periods, "cpu.stat").splitlines())
        return int(rows["nr_periods"]) >= 10 and int(rows["nr_throttled"]) >= 5

    eventually(is_throttled, 20)


def test_the_cgroup_namespace_hides_the_path_of_the_host(api: Api, image: str) -> None:
    made = api.started(image, "sleep", "60", host={"CgroupnsMode": "private"})
    _, content = api.exec(made, "cat", "/proc/1/cgroup")
    assert {line.split(":", 2)[2] for line in content.decode().splitlines()} == {"/"}


@pytest.mark.parametrize(
    "host",
    [{"Memory": 1 * MIB}, {"Memory": -5}, {"NanoCpus": 10**15}, {"CpusetCpus": "999"}, {"MemorySwap": 5 * MIB}],
)
def test_impossible_limits_are_refused(api: Api, image: str, name: str, host: dict[str, int]) -> None:
    with pytest.raises(AssertionError) as refused:
        api.create(image, "true", name=name, host=host)
    assert refused.value.status == 400  # type: ignore[attr-defined]
