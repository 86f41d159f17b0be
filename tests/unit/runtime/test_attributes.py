import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sampan.runtime import attributes
from sampan.runtime.restrict import StageError


@pytest.fixture(autouse=True)
def same_affinity() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def test_a_process_gets_every_cpu_back_that_its_maker_gave_up() -> None:
    everything = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everything)})
    attributes.apply({}, {})
    assert os.sched_getaffinity(0) == everything


def test_only_an_exec_has_an_affinity_of_its_own() -> None:
    everything = os.sched_getaffinity(0)
    first, last = min(everything), max(everything)
    process = {"execCPUAffinity": {"initial": str(first), "final": str(last)}}
    attributes.apply(process, {})
    assert os.sched_getaffinity(0) == everything
    attributes.set_initial_affinity(process)
    assert os.sched_getaffinity(0) == {first}
    attributes.apply(process, {}, is_exec=True)
    assert os.sched_getaffinity(0) == {last}


def test_an_initial_affinity_stays_when_there_is_no_final_one() -> None:
    first = min(os.sched_getaffinity(0))
    process = {"execCPUAffinity": {"initial": str(first)}}
    attributes.set_initial_affinity(process)
    attributes.apply(process, {}, is_exec=True)
    assert os.sched_getaffinity(0) == {first}


def test_an_exec_takes_from_the_container_what_it_does_not_say() -> None:
    container = {"scheduler": {"policy": "SCHED_BATCH"}, "ioPriority": {"class": "IOPRIO_CLASS_BE"}, "cwd": "/x"}
    found = attributes.inherit({"args": ["ls"], "ioPriority": {"class": "IOPRIO_CLASS_IDLE"}}, container)
    assert found == {
        "args": ["ls"],
        "scheduler": {"policy": "SCHED_BATCH"},
        "ioPriority": {"class": "IOPRIO_CLASS_IDLE"},
    }
    assert attributes.inherit({"apparmorProfile": ""}, {"apparmorProfile": "a"}) == {"apparmorProfile": "a"}


def test_checks_reach_all_parts() -> None:
    assert attributes.check({}, {}) == []
    for process, linux in (
        ({"scheduler": {}}, {}),
        ({"ioPriority": {}}, {}),
        ({"execCPUAffinity": {"final": "x"}}, {}),
        ({}, {"memoryPolicy": {}}),
        ({}, {"personality": {}}),
    ):
        with pytest.raises(StageError):
            attributes.check(process, linux)
    assert attributes.check({}, {"personality": {"domain": "LINUX", "flags": ["X"]}})


def test_an_oom_score_that_is_none_is_reported() -> None:
    fd = os.open("/proc", os.O_PATH)
    attributes.set_oom_score({}, fd)
    with pytest.raises(StageError, match="write to /proc/self/oom_score_adj: invalid argument"):
        attributes.set_oom_score({"oomScoreAdj": 2000}, fd)
    os.close(fd)


def test_nothing_asked_for_imports_nothing() -> None:
    program = """
import sys
from sampan.runtime import attributes
attributes.apply({"args": []}, {})
attributes.check({}, {})
loaded = [name for name in sys.modules if name.startswith("sampan.")]
print(*sorted(loaded))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found = set(done.stdout.split()) - {"sampan.linux", "sampan.runtime"}
    assert found == {"sampan.linux.constants", "sampan.linux.syscalls", "sampan.runtime.attributes"}
