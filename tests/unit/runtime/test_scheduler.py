import errno
import os
from pathlib import Path
from typing import Any

import pytest

from sampan.linux import scheduling as s
from sampan.runtime import scheduler
from sampan.runtime.restrict import StageError


def test_the_words_of_the_config_become_the_kernels_numbers() -> None:
    flags = ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"]
    times = {"runtime": 1, "deadline": 2, "period": 3}
    found = scheduler.scheduler_attributes({"policy": "SCHED_DEADLINE", "flags": flags, **times, "nice": 4})
    assert (found.policy, found.flags, found.nice) == (s.SCHED_DEADLINE, 0x5, 4)
    assert (found.runtime_ns, found.deadline_ns, found.period_ns) == (1, 2, 3)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "scheduler policy is required"),
        ({"policy": "SCHED_BEST"}, "invalid scheduler policy: SCHED_BEST"),
        ({"policy": "SCHED_RR", "flags": ["FAST"]}, "invalid scheduler flag: FAST"),
        ({"policy": "SCHED_OTHER", "nice": 20}, "invalid scheduler.nice: 20 when scheduler.policy is SCHED_OTHER"),
        ({"policy": "SCHED_BATCH", "nice": -21}, "invalid scheduler.nice: -21 when scheduler.policy is SCHED_BATCH"),
        ({"policy": "SCHED_OTHER", "priority": 1}, "scheduler.priority can only be specified for SchedFIFO or SchedRR"),
        ({"policy": "SCHED_FIFO", "runtime": 1}, "can only be specified for SchedDeadline policy"),
    ],
)
def test_what_cannot_be_meant_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(StageError, match=reason):
        scheduler.check(config)


def test_what_can_be_meant_is_not_refused() -> None:
    for policy in scheduler.POLICIES:
        scheduler.check({"policy": policy})
    scheduler.check({"policy": "SCHED_FIFO", "priority": 10})
    scheduler.check({"policy": "SCHED_BATCH", "nice": 19, "priority": 0})


MS = 1_000_000


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ({"deadline": 20 * MS, "period": 20 * MS}, "`SCHED_DEADLINE` requires `runtime`"),
        ({"runtime": 10 * MS, "period": 20 * MS}, "`SCHED_DEADLINE` requires `deadline`"),
        ({"runtime": 0, "deadline": 20 * MS}, "`SCHED_DEADLINE` runtime must be greater than 0"),
        ({"runtime": 1024, "deadline": 0}, "`SCHED_DEADLINE` deadline must be greater than 0"),
        ({"runtime": 30, "deadline": 20, "period": 40}, "runtime (30) must be <= deadline (20)"),
        ({"runtime": 10, "deadline": 30, "period": 20}, "deadline (30) must be <= period (20)"),
        ({"runtime": 1023, "deadline": 10 * MS}, "runtime (1023) must be between 1024 and 9223372036854775808"),
        ({"runtime": 2**63 + 1, "deadline": 2**63 + 2}, "runtime (9223372036854775809) must be between 1024 and"),
        ({"runtime": 1024, "deadline": 1024, "period": 2**63 + 1}, "period (9223372036854775809) must be between"),
        ({"runtime": 1024, "deadline": 1024, "period": 1024}, "invalid `SCHED_DEADLINE` parameters (runtime=1024, "),
    ],
)
def test_a_deadline_that_the_kernel_refuses_is_explained(times: dict[str, int], reason: str) -> None:
    config = {"policy": "SCHED_DEADLINE", **times}
    assert reason in scheduler._why_no_deadline(config, scheduler.scheduler_attributes(config))


@pytest.mark.parametrize(
    ("number", "has_cpuset", "reason"),
    [
        (errno.EPERM, True, "process scheduler can't be used together with AllowedCPUs"),
        (errno.EPERM, False, "error setting scheduler: operation not permitted"),
        (errno.EINVAL, False, "sched_setattr: `SCHED_DEADLINE` requires `deadline`: invalid argument"),
    ],
)
def test_the_kernels_refusal_is_told_in_runcs_or_cruns_words(
    monkeypatch: pytest.MonkeyPatch, number: int, has_cpuset: bool, reason: str
) -> None:
    def refuse(pid: int, attributes: s.SchedulerAttributes) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(s, "sched_setattr", refuse)
    with pytest.raises(StageError) as caught:
        scheduler.set_scheduler({"policy": "SCHED_DEADLINE", "runtime": 1}, has_cpuset=has_cpuset)
    assert str(caught.value) == reason


def test_a_number_out_of_every_range_is_an_error_too() -> None:
    with pytest.raises(StageError, match="error setting scheduler: "):
        scheduler.set_scheduler({"policy": "SCHED_DEADLINE", "runtime": 1 << 64})


REALTIME = {"scheduler": {"policy": "SCHED_RR", "priority": 1}}


@pytest.fixture
def cpu_cgroup(tmp_path: Path) -> Path:
    folder = tmp_path / "container"
    folder.mkdir()
    (tmp_path / "cpu.rt_runtime_us").write_text("950000\n")
    (folder / "cpu.rt_runtime_us").write_text("0\n")
    return folder


def test_a_realtime_process_gets_a_budget_where_cgroups_have_one(cpu_cgroup: Path) -> None:
    found = scheduler.with_budget(REALTIME, {"cpu": {"shares": 7}, "pids": {"limit": 1}}, str(cpu_cgroup))
    assert found == {"cpu": {"shares": 7, "realtimeRuntime": 20_000}, "pids": {"limit": 1}}


@pytest.mark.parametrize(
    ("process", "resources"),
    [
        ({}, {}),
        ({"scheduler": {"policy": "SCHED_BATCH"}}, {}),
        ({"scheduler": {"policy": "SCHED_DEADLINE"}}, {}),
        (REALTIME, {"cpu": {"realtimeRuntime": 5}}),
    ],
)
def test_who_needs_none_or_has_one_gets_no_budget(
    cpu_cgroup: Path, process: dict[str, Any], resources: dict[str, Any]
) -> None:
    assert scheduler.with_budget(process, resources, str(cpu_cgroup)) == resources


def test_where_there_is_none_to_be_had_there_is_no_budget(cpu_cgroup: Path) -> None:
    assert scheduler.with_budget(REALTIME, {}, "") == {}
    (cpu_cgroup.parent / "cpu.rt_runtime_us").write_text("0\n")
    assert scheduler.with_budget(REALTIME, {}, str(cpu_cgroup)) == {}
    (cpu_cgroup.parent / "cpu.rt_runtime_us").unlink()
    assert scheduler.with_budget(REALTIME, {}, str(cpu_cgroup)) == {}


def test_a_cgroup_that_has_a_budget_keeps_it(cpu_cgroup: Path) -> None:
    (cpu_cgroup / "cpu.rt_runtime_us").write_text("1000\n")
    assert scheduler.with_budget(REALTIME, {}, str(cpu_cgroup)) == {}
