import os
import signal

import pytest

from sampan.linux import process
from support import children


def test_a_process_is_known_by_pid_and_start_time() -> None:
    pid = children.fork(signal.pause)
    ticks = process.start_ticks(pid)
    assert not process.kill_if_same(pid, ticks + 1)
    assert process.kill_if_same(pid, ticks)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_a_zombie_is_no_process() -> None:
    pid = children.fork(lambda: None)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):
        process.start_ticks(pid)
    assert process.open_if_same(pid, 1) is None
    os.waitpid(pid, 0)


def test_nobody_has_a_free_pid() -> None:
    with pytest.raises(ProcessLookupError):
        process.start_ticks(1 << 30)
    assert process.open_if_same(1 << 22, 1) is None
