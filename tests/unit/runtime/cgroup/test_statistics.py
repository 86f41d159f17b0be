import os
from pathlib import Path

import pytest

from sampan.runtime.cgroup import statistics


def test_max_is_the_largest_number_and_what_is_absent_is_zero(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("max\n")
    (tmp_path / "b").write_text("7\n")
    assert statistics.number(str(tmp_path), "a") == (1 << 64) - 1
    assert statistics.number(str(tmp_path), "b") == 7
    assert statistics.number(str(tmp_path), "c") == 0


def test_zeros_are_left_out_as_runc_does() -> None:
    assert statistics.memory_entry(limit=5, usage=0, peak=0, failures=0) == {"limit": 5, "failcnt": 0}
    assert statistics.memory_entry(limit=0, usage=0, peak=0, failures=0) == {}
    assert statistics.cpu_usage({"total": 0, "kernel": 0, "user": 0, "percpu": []}) == {}
    assert statistics.cpu_usage({"total": 5, "kernel": 0, "user": 0, "percpu": []}) == {
        "total": 5,
        "kernel": 0,
        "user": 0,
    }
    assert statistics.io_entry("8:0", "Read", 5) == {"major": 8, "op": "Read", "value": 5}


def test_no_limit_on_processes_is_zero() -> None:
    assert statistics.pids(3, statistics.NO_LIMIT) == {"current": 3}
    assert statistics.pids(3, 9) == {"current": 3, "limit": 9}


def test_pressure_is_read_and_its_lack_told(tmp_path: Path) -> None:
    some = "some avg10=1.50 avg60=0.00 avg300=0.00 total=99\n"
    (tmp_path / "cpu.pressure").write_text(f"{some}full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    found = statistics.pressure(str(tmp_path), "cpu.pressure")
    assert found == {"some": {"avg10": 1.5, "avg60": 0.0, "avg300": 0.0, "total": 99}}
    assert statistics.pressure(str(tmp_path), "io.pressure") is None


def test_lists_of_cpus_are_spelled_out() -> None:
    assert statistics.cpu_list("0-2,5") == [0, 1, 2, 5]
    assert statistics.cpu_list("") == []


def test_page_sizes_are_named_as_the_controller_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda path: ["hugepages-2048kB", "hugepages-1048576kB", "hugepages-64kB"])
    assert statistics.huge_page_sizes() == ["1GB", "2MB", "64KB"]
