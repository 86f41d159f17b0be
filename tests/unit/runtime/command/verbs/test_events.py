import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs import events

Make = Callable[..., Container]
Sleeper = subprocess.Popen[bytes]


def run(context: Context, *words: str) -> int:
    return main.main(["--root", context.root, "events", *words])


def test_stats_are_printed_once(
    context: Context, make: Make, cgroup: Any, sleeper: Sleeper, capsys: pytest.CaptureFixture[str]
) -> None:
    make("one", process=sleeper, cgroup_manager="cgroupfs")
    cgroup.inside = {1, 2}
    assert run(context, "--stats", "one") == 0
    assert json.loads(capsys.readouterr().out) == {"type": "stats", "id": "one", "data": {"pids": {"current": 2}}}


def test_events_end_with_the_container(
    context: Context, make: Make, cgroup: Any, sleeper: Sleeper, capsys: pytest.CaptureFixture[str]
) -> None:
    make("one", process=sleeper, cgroup_manager="cgroupfs")
    told = []

    def count() -> int:
        # Asked at the start, then after each round: two kills come in the second, the container ends after it.
        told.append(1)
        if len(told) == 2:
            sleeper.kill()
        return 0 if len(told) == 1 else 2

    cgroup.oom_kills = count
    assert run(context, "--interval", "20ms", "one") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["type"] for event in found][:3] == ["oom", "oom", "stats"]
    assert found[0] == {"type": "oom", "id": "one"}


def test_a_kill_that_is_counted_after_its_alarm_is_told_at_once(
    context: Context,
    make: Make,
    cgroup: Any,
    sleeper: Sleeper,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make("one", process=sleeper, cgroup_manager="cgroupfs")
    cgroup.version = 1
    monkeypatch.setattr(events, "_oom_alarm", lambda cgroup: os.eventfd(1))
    counts = [0, 0, 0, 1]

    def count() -> int:
        if len(counts) == 1:
            sleeper.kill()
        return counts.pop(0) if len(counts) > 1 else counts[0]

    cgroup.oom_kills = count
    assert run(context, "--interval", "1h", "one") == 0
    assert capsys.readouterr().out == '{"type":"oom","id":"one"}\n'


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--interval", "soon"], "invalid value"),
        (["--interval", "0s"], "must be greater than 0"),
        ([], "is not running"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    context: Context, make: Make, words: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make("one")
    assert run(context, *words, "one") == 1
    assert message in capfd.readouterr().err


def test_a_removed_cgroup_tells_no_more(cgroup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> int:
        raise FileNotFoundError

    monkeypatch.setattr(cgroup, "oom_kills", gone)
    assert events._report_kills("one", cgroup, 3) == 3


def test_version_two_tells_by_its_events_file(cgroup: Any, tmp_path: Any) -> None:
    (tmp_path / "memory.events").write_text("oom_kill 0\n")
    cgroup.version, cgroup.folders = 2, {"": str(tmp_path)}
    fd = events._oom_alarm(cgroup)
    assert fd >= 0
    events._acknowledge(cgroup, fd)
    os.close(fd)
    cgroup.folders = {"": f"{tmp_path}/nowhere"}
    assert events._oom_alarm(cgroup) == -1
