import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command import signals
from sampan.runtime.command.store import Container

Make = Callable[..., Container]


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("9", 9),
        ("0", 0),
        ("KILL", 9),
        ("SIGKILL", 9),
        ("sigterm", 15),
        ("hup", 1),
        ("RTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("RTMAX-14", 50),
        ("64", 64),
        ("WINCH", signal.SIGWINCH),
    ],
)
def test_signals_have_names_and_numbers(word: str, number: int) -> None:
    assert signals.parse(word) == number


@pytest.mark.parametrize(
    "word", ["INVALID_SIGNAL", "", "-1", "65", "RTMIN+31", "RTMIN+", "RTMIN+x", "_DFL", "_IGN", "1x"]
)
def test_what_is_no_signal_is_refused(word: str) -> None:
    with pytest.raises(InvalidArgument, match="unknown signal"):
        signals.parse(word)


def test_a_signal_reaches_the_first_process(make: Make, sleeper: "subprocess.Popen[bytes]") -> None:
    container = make("one", process=sleeper)
    assert not signals.wait_end(container, 0)
    assert signals.send(container, 0)
    assert signals.send(container, signal.SIGTERM)
    assert signals.wait_end(container, 10)
    assert sleeper.wait() == -signal.SIGTERM
    assert not signals.send(container, 0)


def test_another_process_with_the_pid_gets_no_signal(make: Make, sleeper: "subprocess.Popen[bytes]") -> None:
    container = make("one", process=sleeper)
    container.start_ticks += 1
    assert not signals.send(container, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_container_without_process_has_ended(make: Make) -> None:
    container = make("one")
    assert signals.open_init(container) == -1
    assert signals.wait_end(container, 0)


def test_open_init_leaks_nothing(make: Make, sleeper: "subprocess.Popen[bytes]") -> None:
    container = make("one", process=sleeper)
    before = len(os.listdir("/proc/self/fd"))
    container.start_ticks += 1
    assert signals.open_init(container) == -1
    assert len(os.listdir("/proc/self/fd")) == before
