import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import Conflict
from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs.kill import kill

Make = Callable[..., Container]
Sleeper = subprocess.Popen[bytes]
OWN_PIDS = {"linux": {"namespaces": [{"type": "pid"}]}}


def test_term_is_what_is_sent_when_nothing_is_said(context: Context, make: Make, sleeper: Sleeper) -> None:
    make("one", process=sleeper)
    assert main.main(["--root", context.root, "kill", "one"]) == 0
    assert sleeper.wait() == -signal.SIGTERM


@pytest.mark.parametrize("word", ["9", "KILL", "sigkill"])
def test_a_signal_is_named_or_numbered(context: Context, make: Make, sleeper: Sleeper, word: str) -> None:
    make("one", process=sleeper)
    assert main.main(["--root", context.root, "kill", "one", word]) == 0
    assert sleeper.wait() == -signal.SIGKILL


def test_a_stopped_container_takes_no_signal(
    context: Context, make: Make, capfd: pytest.CaptureFixture[str], cgroup: Any
) -> None:
    make("one")
    assert main.main(["--root", context.root, "kill", "one", "0"]) == 1
    assert "container not running" in capfd.readouterr().err
    container = make("two", cgroup_manager="cgroupfs")
    kill(container, signal.SIGTERM, everything=True)
    assert cgroup.signals == [signal.SIGTERM]


def test_an_unknown_signal_reaches_nobody(context: Context, make: Make, sleeper: Sleeper) -> None:
    make("one", process=sleeper)
    assert main.main(["--root", context.root, "kill", "one", "INVALID_SIGNAL"]) == 1
    assert sleeper.poll() is None


def test_all_means_the_whole_cgroup(make: Make, sleeper: Sleeper, cgroup: Any) -> None:
    kill(make("one", process=sleeper, spec=OWN_PIDS, cgroup_manager="cgroupfs"), signal.SIGUSR1, everything=True)
    assert cgroup.signals == [signal.SIGUSR1]


def test_sigkill_reaches_all_where_no_pid_namespace_ends(make: Make, sleeper: Sleeper, cgroup: Any) -> None:
    container = make("one", process=sleeper, cgroup_manager="cgroupfs")
    kill(container, signal.SIGCONT, everything=False)
    assert cgroup.signals == []
    kill(container, signal.SIGKILL, everything=False)
    assert cgroup.signals == [signal.SIGKILL]


def test_what_the_first_process_left_behind_is_killed(make: Make, cgroup: Any) -> None:
    container = make("one", cgroup_manager="cgroupfs")
    cgroup.inside = {7}
    kill(container, signal.SIGKILL, everything=False)
    assert cgroup.signals == [signal.SIGKILL]
    with pytest.raises(Conflict):
        kill(container, signal.SIGTERM, everything=False)
    cgroup.inside = set()
    with pytest.raises(Conflict):
        kill(container, signal.SIGKILL, everything=False)


def test_a_frozen_container_dies_of_sigkill(make: Make, sleeper: Sleeper, cgroup: Any) -> None:
    sleeper.send_signal(signal.SIGSTOP)
    container = make("one", process=sleeper, spec=OWN_PIDS, cgroup_manager="cgroupfs")
    cgroup.frozen = True
    # SIGKILL ends our stand-in at once; what counts is that the frozen cgroup was told.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sampan.runtime.command.signals.send", lambda *_: True)
        kill(container, signal.SIGKILL, everything=False)
    assert cgroup.signals == [signal.SIGKILL]


def test_several_are_chosen_by_an_expression(context: Context, make: Make, sleeper: Sleeper) -> None:
    make("web-1", process=sleeper)
    make("web-2")
    assert main.main(["--root", context.root, "kill", "--regex", "web-.*", "TERM"]) == 0
    assert sleeper.wait() == -signal.SIGTERM


def test_a_created_container_can_be_killed(make: Make, sleeper: Sleeper) -> None:
    container = make("one", process=sleeper)
    with open(container.exec_fifo, "w"):
        assert container.status() == "created"
    kill(container, signal.SIGKILL, everything=False)
    assert sleeper.wait() == -signal.SIGKILL
    with pytest.raises(Conflict):
        kill(container, signal.SIGKILL, everything=False)
