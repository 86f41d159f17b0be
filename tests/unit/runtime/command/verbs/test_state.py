import json
import subprocess
from collections.abc import Callable

import pytest

from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs.state import owner_name

Make = Callable[..., Container]


def test_the_state_is_that_of_the_specification_and_runcs(
    context: Context, make: Make, sleeper: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    container = make("one", process=sleeper, spec={"annotations": {"k": "v"}})
    assert main.main(["--root", context.root, "state", "one"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert list(state) == "ociVersion id pid status bundle rootfs created annotations owner".split()
    assert (state["id"], state["pid"], state["status"]) == ("one", sleeper.pid, "running")
    assert state["annotations"] == {"k": "v"}
    assert state["created"] == container.created
    assert state["owner"] == "root" or container.owner


def test_a_stopped_container_has_no_pid(context: Context, make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    make("one")
    assert main.main(["--root", context.root, "state", "one"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["pid"], state["status"]) == (0, "stopped")
    assert "annotations" not in state


def test_an_owner_without_a_name_is_a_number() -> None:
    assert owner_name(0) == "root"
    assert owner_name(3_999_999_999) == "#3999999999"
