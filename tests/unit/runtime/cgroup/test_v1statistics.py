from pathlib import Path

import pytest

from sampan.runtime.cgroup import statistics
from sampan.runtime.cgroup.v1statistics import collect

FILES = {
    "cpu.stat": "nr_periods 4\nnr_throttled 2\nthrottled_time 300\n",
    "cpuacct.usage": "1000\n",
    "cpuacct.usage_percpu": "600 400 \n",
    "cpuacct.usage_all": "cpu user system\n0 500 100\n1 300 100\n",
    "cpuacct.stat": "user 8\nsystem 2\n",
    "cpuset.cpus": "0-1\n",
    "cpuset.mems": "0\n",
    "cpuset.sched_relax_domain_level": "-1\n",
    "memory.stat": "cache 70\nrss 30\n",
    "memory.limit_in_bytes": "200\n",
    "memory.usage_in_bytes": "100\n",
    "memory.max_usage_in_bytes": "150\n",
    "memory.failcnt": "3\n",
    "memory.memsw.limit_in_bytes": "400\n",
    "memory.memsw.usage_in_bytes": "110\n",
    "pids.current": "2\n",
    "pids.max": "max\n",
    "blkio.throttle.io_service_bytes": "8:0 Read 10\n8:0 Total 10\nTotal 10\n",
    "blkio.throttle.io_serviced": "8:0 Read 1\n8:0 Total 1\nTotal 1\n",
    "hugetlb.2MB.usage_in_bytes": "4096\n",
    "hugetlb.2MB.max_usage_in_bytes": "8192\n",
    "hugetlb.2MB.failcnt": "0\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(statistics, "huge_page_sizes", lambda: ["2MB"])
    return str(tmp_path)


def test_all_controllers_are_told_of(folder: str) -> None:
    found = collect(dict.fromkeys("cpu cpuacct cpuset memory pids blkio hugetlb".split(), folder))
    assert found["cpu"] == {
        "usage": {
            "total": 1000,
            "percpu": [600, 400],
            "percpu_kernel": [100, 100],
            "percpu_user": [500, 300],
            "kernel": 20_000_000,
            "user": 80_000_000,
        },
        "throttling": {"periods": 4, "throttledPeriods": 2, "throttledTime": 300},
    }
    assert found["cpuset"]["cpus"] == [0, 1] and found["cpuset"]["sched_relax_domain_level"] == -1
    assert found["memory"] == {
        "cache": 70,
        "usage": {"limit": 200, "usage": 100, "max": 150, "failcnt": 3},
        "swap": {"limit": 400, "usage": 110, "failcnt": 0},
        "raw": {"cache": 70, "rss": 30},
    }
    assert found["pids"] == {"current": 2}
    assert found["blkio"] == {
        "ioServicedRecursive": [
            {"major": 8, "op": "Read", "value": 1},
            {"major": 8, "op": "Total", "value": 1},
        ],
        "ioServiceBytesRecursive": [
            {"major": 8, "op": "Read", "value": 10},
            {"major": 8, "op": "Total", "value": 10},
        ],
    }
    assert found["hugetlb"] == {"2MB": {"usage": 4096, "max": 8192, "failcnt": 0}}


def test_the_scheduler_that_counts_is_read(folder: str) -> None:
    Path(folder, "blkio.bfq.io_serviced_recursive").write_text("8:0 Read 9\n")
    Path(folder, "blkio.bfq.sectors_recursive").write_text("8:0 33\n")
    assert collect({"blkio": folder})["blkio"] == {
        "ioServicedRecursive": [{"major": 8, "op": "Read", "value": 9}],
        "sectorsRecursive": [{"major": 8, "value": 33}],
    }


def test_huge_page_reservations_are_preferred(folder: str) -> None:
    for name in ("usage_in_bytes", "max_usage_in_bytes", "failcnt"):
        Path(folder, f"hugetlb.2MB.rsvd.{name}").write_text("7\n")
    assert collect({"hugetlb": folder})["hugetlb"] == {"2MB": {"usage": 7, "max": 7, "failcnt": 7}}


def test_what_is_not_mounted_is_empty() -> None:
    assert collect({}) == statistics.empty()
