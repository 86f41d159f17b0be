import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container

Make = Callable[..., Container]


def test_a_paused_container_goes_on(
    context: Context, make: Make, cgroup: Any, sleeper: "subprocess.Popen[bytes]"
) -> None:
    container = make("one", process=sleeper, cgroup_manager="cgroupfs")
    cgroup.frozen = True
    assert main.main(["--root", context.root, "resume", "one"]) == 0
    assert not cgroup.frozen
    assert container.status() == "running"


def test_one_that_is_not_paused_cannot_be_resumed(
    context: Context, make: Make, cgroup: Any, sleeper: "subprocess.Popen[bytes]", capfd: pytest.CaptureFixture[str]
) -> None:
    make("one", process=sleeper, cgroup_manager="cgroupfs")
    assert main.main(["--root", context.root, "resume", "one"]) == 1
    assert "container not paused: it is running" in capfd.readouterr().err
