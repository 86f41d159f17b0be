import json
import subprocess
from collections.abc import Callable

import pytest

from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container

Make = Callable[..., Container]


def listed(context: Context, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main.main(["--root", context.root, "list", *words]) == 0
    return capsys.readouterr().out


def test_the_table_has_runcs_columns(
    context: Context, make: Make, sleeper: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    make("one", process=sleeper)
    make("two")
    title, one, two = listed(context, capsys).splitlines()
    assert title.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert one.split()[:3] == ["one", str(sleeper.pid), "running"]
    assert two.split()[:3] == ["two", "0", "stopped"]
    assert title.index("PID") == one.index(str(sleeper.pid)) == 12


def test_quiet_is_ids(context: Context, make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    make("b")
    make("a")
    assert listed(context, capsys, "-q") == "a\nb\n"


def test_a_root_that_was_named_must_exist(
    context: Context, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main.main(["--root", f"{context.root}/nowhere", "list"]) == 1
    assert "nowhere: No such file or directory" in capfd.readouterr().err
    monkeypatch.setattr(main, "DEFAULT_ROOT", f"{context.root}/nowhere")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert main.main(["list", "-q"]) == 0


def test_json_is_a_list_of_states(context: Context, make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    make("one").remove()
    assert json.loads(listed(context, capsys, "-f", "json")) == []
    make("one")
    (found,) = json.loads(listed(context, capsys, "--format=json"))
    assert (found["id"], found["status"], found["pid"]) == ("one", "stopped", 0)


def test_other_formats_are_refused(context: Context, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--root", context.root, "list", "-f", "xml"]) == 1
    assert "invalid format option" in capfd.readouterr().err
