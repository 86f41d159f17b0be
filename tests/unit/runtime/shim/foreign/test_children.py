import os
import signal
from collections.abc import Callable, Iterator

import pytest

from sampan.runtime.shim.foreign.children import Children, exit_code_of
from sampan.runtime.shim.loop import Loop
from support import children as support
from support.waiting import eventually


class Family:
    """A reaper with a loop that is turned by hand."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.reaper = Children(self.loop)
        self.ends: list[int] = []

    def turn(self) -> None:
        self.loop._is_running = True
        self.loop.after(0, self.loop.stop)
        self.loop.run()

    def until(self, check: Callable[[], object]) -> None:
        def turned() -> bool:
            self.turn()
            return bool(check())

        eventually(turned)


@pytest.fixture
def family() -> Iterator[Family]:
    found = Family()
    yield found
    found.reaper.close()


def dead(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def test_the_end_of_a_watched_child_is_told_once_with_its_exit_code(family: Family) -> None:
    pid = support.fork(lambda: os._exit(7))
    assert family.reaper.watch(pid, family.ends.append)
    family.until(lambda: family.ends)
    family.turn()
    assert family.ends == [7]


def test_a_killed_child_counts_as_shells_count(family: Family) -> None:
    pid = support.fork(signal.pause)
    family.reaper.watch(pid, family.ends.append)
    os.kill(pid, signal.SIGTERM)
    family.until(lambda: family.ends)
    assert family.ends == [128 + signal.SIGTERM]


def test_an_end_before_the_watch_is_kept_while_a_command_may_name_the_pid(family: Family) -> None:
    family.reaper.expect()
    pid = support.fork(lambda: os._exit(5))
    family.until(lambda: dead(pid))
    assert not family.reaper.watch(pid, family.ends.append)
    assert family.ends == [], "told at once"
    family.until(lambda: family.ends)
    family.reaper.settle()
    assert family.ends == [5]


def test_ends_that_no_command_can_name_are_forgotten(family: Family) -> None:
    family.reaper.expect()
    pid = support.fork(lambda: os._exit(5))
    family.until(lambda: dead(pid))
    family.reaper.settle()
    with pytest.raises(ChildProcessError):
        family.reaper.watch(pid, family.ends.append)


def test_orphans_are_left_to_this_process_and_reaped(family: Family) -> None:
    reader, writer = os.pipe()

    def bear() -> None:
        os.write(writer, str(support.fork(lambda: os._exit(9))).encode())

    family.reaper.expect()
    parent = support.fork(bear)
    family.reaper.watch(parent, family.ends.append)
    family.until(lambda: family.ends)
    orphan = int(os.read(reader, 20))
    os.close(reader)
    os.close(writer)
    family.reaper.watch(orphan, family.ends.append)
    family.until(lambda: len(family.ends) == 2)
    assert family.ends == [0, 9]


def test_a_process_of_another_is_refused(family: Family) -> None:
    with pytest.raises(ChildProcessError):
        family.reaper.watch(os.getpid(), family.ends.append)


@pytest.mark.parametrize(("status", "code"), [(0, 0), (3 << 8, 3), (9, 137), (15, 143)])
def test_wait_statuses_become_exit_codes(status: int, code: int) -> None:
    assert exit_code_of(status) == code
