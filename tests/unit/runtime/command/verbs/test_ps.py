import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs.ps import select

Make = Callable[..., Container]
LISTING = "UID   PID  PPID CMD\nroot    1     0 init\nroot   42     1 sh -c PID\nbob    7     1 x\n"


def test_the_lines_of_the_containers_processes_are_kept() -> None:
    assert select(LISTING, {42, 7}) == "UID   PID  PPID CMD\nroot   42     1 sh -c PID\nbob    7     1 x\n"
    assert select(LISTING, set()) == "UID   PID  PPID CMD\n"


def test_a_listing_without_pids_is_of_no_use() -> None:
    with pytest.raises(InvalidArgument, match="couldn't find PID field"):
        select("CMD\ninit\n", {1})


def run(context: Context, *words: str) -> int:
    return main.main(["--root", context.root, "ps", *words])


def test_json_is_a_list_of_pids(
    context: Context, make: Make, cgroup: Any, sleeper: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    make("one", process=sleeper, cgroup_manager="cgroupfs")
    cgroup.inside = {9, 3}
    assert run(context, "--format", "json", "one") == 0
    assert json.loads(capsys.readouterr().out) == [3, 9]


def test_options_behind_the_id_are_those_of_ps(
    context: Context, make: Make, cgroup: Any, sleeper: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    make("one", process=sleeper, cgroup_manager="cgroupfs")
    cgroup.inside = {os.getpid()}
    assert run(context, "one", "-e", "-o", "pid,comm") == 0
    title, line = capsys.readouterr().out.splitlines()
    assert title.split() == ["PID", "COMMAND"]
    assert int(line.split()[0]) == os.getpid()


def test_without_a_cgroup_nobody_knows(
    context: Context, make: Make, capfd: pytest.CaptureFixture[str], cgroup: Any
) -> None:
    make("one")
    assert run(context, "one") == 1
    assert "not using cgroups" in capfd.readouterr().err
    make("two", cgroup_manager="cgroupfs")
    assert run(context, "-f", "xml", "two") == 1
    assert "invalid format option" in capfd.readouterr().err
    assert run(context, "two", "--no-such-option") != 0
