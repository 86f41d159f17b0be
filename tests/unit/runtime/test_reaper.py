"""The reaper, tried in a child that adopts orphans as PID 1 does (PR_SET_CHILD_SUBREAPER)."""

import os
import signal
from collections.abc import Callable

import pytest

from sampan.linux import syscalls
from sampan.runtime import reaper
from support import children

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
ORPHANS = 20


def reaping(program: Callable[[int], object]) -> int:
    """A child that becomes the reaper of `program`, which is given a pipe to write to; the reaper's pid."""

    def life() -> None:
        syscalls.prctl(SUBREAPER, 1)
        reaper.split()
        signal.alarm(20)
        program(write)

    read, write = os.pipe()
    pid = children.fork(life)
    os.close(write)
    reading.append(read)
    return pid


reading: list[int] = []


def heard() -> bytes:
    """Everything that the program wrote, until no process holds the pipe open."""
    read = reading.pop()
    found = b""
    while piece := os.read(read, 4096):
        found += piece
    os.close(read)
    return found


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_it_ends_with_the_programs_exit_code(status: int) -> None:
    pid = reaping(lambda write: os._exit(status))
    assert children.code(pid) == status
    heard()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
def test_a_program_that_a_signal_ends_counts_as_128_and_its_number(number: signal.Signals) -> None:
    pid = reaping(lambda write: os.kill(os.getpid(), number))
    assert children.code(pid) == 128 + number
    heard()


def make_orphan(status: int) -> None:
    """A grandchild whose parent ends at once."""
    if (parent := os.fork()) == 0:
        if os.fork() == 0:
            os._exit(status)
        os._exit(0)
    os.waitpid(parent, 0)


def children_of(pid: int) -> set[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return {int(text) for text in file.read().split()}


def test_orphans_are_reaped_and_their_ends_are_not_taken_for_the_programs() -> None:
    def program(write: int) -> None:
        for _ in range(ORPHANS):
            make_orphan(9)
        while children_of(os.getppid()) != {os.getpid()}:
            signal.sigtimedwait([signal.SIGUSR2], 0.002)
        os._exit(3)

    pid = reaping(program)
    heard()
    assert children.code(pid) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH])
def test_signals_are_passed_on_to_the_program(number: signal.Signals) -> None:
    def program(write: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        os.write(write, b"waiting ")
        os.write(write, b"%d" % signal.sigwait([number]))
        os._exit(4)

    pid = reaping(program)
    assert os.read(reading[-1], 8) == b"waiting "
    os.kill(pid, number)
    assert heard() == b"%d" % number
    assert children.code(pid) == 4


def test_the_program_starts_with_no_signal_blocked_and_leads_its_own_group() -> None:
    def program(write: int) -> None:
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
        assert os.getpgrp() == os.getpid()
        os.write(write, b"fine")

    pid = reaping(program)
    assert heard() == b"fine"
    assert children.code(pid) == 0


def test_the_reaper_holds_no_descriptor() -> None:
    def program(write: int) -> None:
        while os.listdir(f"/proc/{os.getppid()}/fd"):
            signal.sigtimedwait([signal.SIGUSR2], 0.002)
        os.write(write, b"none")

    pid = reaping(program)
    assert heard() == b"none"
    assert children.code(pid) == 0


def test_a_program_with_a_terminal_is_in_its_foreground() -> None:
    def life() -> None:
        os.setsid()
        os.dup2(os.open(os.ttyname(slave), os.O_RDWR), 0)  # the first terminal opened becomes the controlling one
        reaper.split()
        assert os.tcgetpgrp(0) == os.getpgrp() == os.getpid()
        assert signal.getsignal(signal.SIGTTOU) == signal.SIG_DFL
        os._exit(6)

    master, slave = os.openpty()
    try:
        assert children.code_of(life) == 6
    finally:
        os.close(master)
        os.close(slave)
