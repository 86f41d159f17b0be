import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container

Make = Callable[..., Container]


def test_a_running_container_is_frozen(
    context: Context, make: Make, cgroup: Any, sleeper: "subprocess.Popen[bytes]"
) -> None:
    container = make("one", process=sleeper, cgroup_manager="cgroupfs")
    assert main.main(["--root", context.root, "pause", "one"]) == 0
    assert cgroup.frozen
    assert container.status() == "paused"


def test_one_that_is_not_running_cannot_be_paused(
    context: Context, make: Make, cgroup: Any, sleeper: "subprocess.Popen[bytes]", capfd: pytest.CaptureFixture[str]
) -> None:
    make("stopped", cgroup_manager="cgroupfs")
    make("paused", process=sleeper, cgroup_manager="cgroupfs")
    cgroup.frozen = True
    for id in ("stopped", "paused"):
        assert main.main(["--root", context.root, "pause", id]) == 1
        assert f"container not running: it is {id}" in capfd.readouterr().err
