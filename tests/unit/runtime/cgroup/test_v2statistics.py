from pathlib import Path

import pytest

from sampan.runtime.cgroup import statistics
from sampan.runtime.cgroup.v2statistics import collect

NO_LIMIT = statistics.NO_LIMIT
FILES = {
    "cpu.stat": "usage_usec 10\nuser_usec 8\nsystem_usec 2\nnr_periods 4\nnr_throttled 2\nthrottled_usec 3\n",
    "memory.stat": "anon 30\nfile 70\n",
    "memory.current": "100\n",
    "memory.max": "200\n",
    "memory.peak": "150\n",
    "memory.swap.current": "10\n",
    "memory.swap.max": "50\n",
    "memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "pids.current": "2\n",
    "pids.max": "9\n",
    "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n253:1 \n",
    "hugetlb.2MB.current": "4096\n",
    "hugetlb.2MB.events": "max 5\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(statistics, "huge_page_sizes", lambda: ["2MB", "1GB"])
    return str(tmp_path)


def test_version_1s_shape_is_filled(folder: str) -> None:
    found = collect(folder)
    assert found["cpu"] == {
        "usage": {"total": 10_000, "user": 8000, "kernel": 2000},
        "throttling": {"periods": 4, "throttledPeriods": 2, "throttledTime": 3000},
    }
    assert found["memory"] == {
        "cache": 70,
        "usage": {"limit": 200, "usage": 100, "max": 150, "failcnt": 0},
        "swap": {"limit": 250, "usage": 110, "failcnt": 0},  # memory and swap together
        "raw": {"anon": 30, "file": 70},
        "psi": {},
    }
    assert found["pids"] == {"current": 2, "limit": 9}
    assert found["blkio"] == {
        "ioServiceBytesRecursive": [
            {"major": 8, "op": "Read", "value": 10},
            {"major": 8, "op": "Write", "value": 20},
        ],
        "ioServicedRecursive": [{"major": 8, "op": "Read", "value": 1}, {"major": 8, "op": "Write", "value": 2}],
    }
    assert found["hugetlb"] == {"2MB": {"usage": 4096, "failcnt": 5}}


@pytest.mark.parametrize(("memory", "swap"), [("max", "max"), ("max", "50"), ("200", "max")])
def test_no_limit_on_either_is_none_on_both(folder: str, memory: str, swap: str) -> None:
    Path(folder, "memory.max").write_text(memory)
    Path(folder, "memory.swap.max").write_text(swap)
    assert collect(folder)["memory"]["swap"]["limit"] == NO_LIMIT


def test_processes_are_counted_where_the_controller_does_not(folder: str) -> None:
    Path(folder, "pids.current").unlink()
    Path(folder, "cgroup.procs").write_text("1\n2\n3\n")
    assert collect(folder)["pids"] == {"current": 3}


def test_a_kernel_without_swap_has_none_to_add(folder: str) -> None:
    for name in ("memory.swap.current", "memory.swap.max"):
        Path(folder, name).unlink()
    assert collect(folder)["memory"]["swap"] == {"limit": 200, "usage": 100, "failcnt": 0}
