import os
import struct

import pytest

from sampan.linux import scheduling as s


def test_the_kernels_structure_has_the_size_of_its_second_version() -> None:
    packed = s.SchedulerAttributes(s.SCHED_DEADLINE, runtime_ns=1, deadline_ns=2, period_ns=3).pack()
    assert len(packed) == 56
    assert struct.unpack_from("=II", packed) == (56, s.SCHED_DEADLINE)
    assert struct.unpack_from("=QQQ", packed, 24) == (1, 2, 3)


def test_numbers_that_do_not_fit_their_field_are_refused() -> None:
    with pytest.raises(struct.error):
        s.SchedulerAttributes(s.SCHED_DEADLINE, runtime_ns=1 << 64).pack()
    with pytest.raises(struct.error):
        s.SchedulerAttributes(s.SCHED_FIFO, priority=-1).pack()


def test_policies_are_those_that_python_knows() -> None:
    assert (s.SCHED_OTHER, s.SCHED_FIFO, s.SCHED_RR) == (os.SCHED_OTHER, os.SCHED_FIFO, os.SCHED_RR)
    assert (s.SCHED_BATCH, s.SCHED_IDLE) == (os.SCHED_BATCH, os.SCHED_IDLE)


def test_what_python_can_tell_too_is_read_the_same() -> None:
    found = s.sched_getattr(0)
    assert found.policy == os.sched_getscheduler(0)
    assert found.nice == os.nice(0)


def test_a_process_that_is_not_has_no_attributes() -> None:
    with pytest.raises(ProcessLookupError):
        s.sched_getattr(1 << 30)


def test_the_personality_is_asked_for_without_a_change() -> None:
    assert s.personality() == s.personality()


def test_io_priority_and_memory_policy_can_be_read() -> None:
    priority_class, level = s.ioprio_get(s.IOPRIO_WHO_PROCESS, 0)
    assert 0 <= priority_class <= 3 and 0 <= level <= 7
    mode, mask = s.get_mempolicy()
    assert mode >= 0 and len(mask) % 8 == 0
