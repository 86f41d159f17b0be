import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs import mounts

Make = Callable[..., Container]


def test_mounts_are_a_list_in_a_file(tmp_path: Any) -> None:
    listed = [{"destination": "/a", "type": "tmpfs", "source": "tmpfs"}]
    path = tmp_path / "mounts"
    path.write_text(json.dumps(listed))
    assert mounts.read(str(path)) == listed


@pytest.mark.parametrize("text", ["{}", "[", "[{}]", '["x"]', '[{"destination": 1}]'])
def test_what_is_no_list_of_mounts_is_refused(tmp_path: Any, text: str) -> None:
    path = tmp_path / "mounts"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=r"array|cannot parse"):
        mounts.read(str(path))


def test_there_are_two_actions_on_running_containers(
    context: Context, make: Make, tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mounts").write_text("[]")
    make("one")
    for action, message in (("move", "unknown command move"), ("add", "is not running"), ("remove", "is not running")):
        assert main.main(["--root", context.root, "mounts", action, "one", f"{tmp_path}/mounts"]) == 1
        assert message in capfd.readouterr().err


def test_what_fails_inside_is_told_outside(
    context: Context, make: Make, sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def fail(pidfd: int, wanted: "list[dict[str, Any]]") -> None:
        error = OSError(2, "No such file or directory")
        error.add_note("cannot bind /x on /y:")
        raise error

    monkeypatch.setattr(mounts, "_add", fail)
    (tmp_path / "mounts").write_text("[]")
    make("one", process=sleeper)
    assert (
        main.main(["--root", context.root, "--log", f"{tmp_path}/log", "mounts", "add", "one", f"{tmp_path}/mounts"])
        == 1
    )
    assert "cannot bind /x on /y: No such file or directory" in (tmp_path / "log").read_text()
