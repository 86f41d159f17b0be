import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container

Make = Callable[..., Container]
Sleeper = subprocess.Popen[bytes]


def delete(context: Context, *words: str) -> int:
    return main.main(["--root", context.root, "delete", *words])


def test_a_stopped_container_is_removed(context: Context, make: Make) -> None:
    container = make("one")
    assert delete(context, "one") == 0
    assert not os.path.exists(container.directory)


def test_a_running_one_only_by_force(
    context: Context, make: Make, sleeper: Sleeper, capfd: pytest.CaptureFixture[str]
) -> None:
    container = make("one", process=sleeper)
    assert delete(context, "one") == 1
    assert "cannot delete container one that is not stopped: running" in capfd.readouterr().err
    assert sleeper.poll() is None
    assert delete(context, "--force", "one") == 0
    assert sleeper.wait() == -signal.SIGKILL
    assert not os.path.exists(container.directory)


def test_a_created_one_is_killed_and_removed(context: Context, make: Make, sleeper: Sleeper) -> None:
    container = make("one", process=sleeper)
    os.mkfifo(container.exec_fifo)
    assert delete(context, "one") == 0
    assert sleeper.wait() == -signal.SIGKILL
    assert not os.path.exists(container.directory)


def test_what_does_not_exist_is_an_error_but_for_force(context: Context, capfd: pytest.CaptureFixture[str]) -> None:
    assert delete(context, "none") == 1
    assert "container does not exist" in capfd.readouterr().err
    assert delete(context, "-f", "none") == 0


def test_a_half_made_directory_is_swept(context: Context) -> None:
    os.makedirs(f"{context.root}/one")
    with open(f"{context.root}/one/config.json", "w"):
        assert delete(context, "one") == 1
    assert not os.path.exists(f"{context.root}/one")


def test_what_is_no_container_is_not_swept(context: Context) -> None:
    os.makedirs(f"{context.root}/one/below")
    assert delete(context, "-f", "one") == 0
    assert os.path.exists(f"{context.root}/one/below")


def test_force_does_not_leave_the_root(context: Context, capfd: pytest.CaptureFixture[str]) -> None:
    os.makedirs(f"{context.root}/../outside")
    assert delete(context, "-f", "../outside") == 1
    assert "invalid container ID format" in capfd.readouterr().err
    assert os.path.exists(f"{context.root}/../outside")


def test_several_are_chosen_by_an_expression(context: Context, make: Make) -> None:
    for id in ("test-1", "test-2", "other"):
        make(id)
    assert delete(context, "-f", "--regex", "test-*") == 0
    assert os.listdir(context.root) == ["other"]
