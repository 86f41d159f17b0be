import os
import signal
import time
from pathlib import Path
from typing import Any, cast

import pytest

from sampan.runtime.cgroup import killing
from sampan.runtime.cgroup.contract import Cgroup


class Group:
    """A cgroup of processes that die when they are signalled and not frozen (on version 1), and may have children."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pids: set[int], *, version: int = 1) -> None:
        self.version = version
        self.folders = {"": "/nowhere"}
        self.there = pids
        self.born: list[int] = []
        self.frozen = False
        self.can_freeze = True
        self.log: list[Any] = []
        monkeypatch.setattr(os, "kill", self.signal)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def signal(self, pid: int, number: int) -> None:
        self.log.append((pid, int(number)))
        if pid not in self.there:
            raise ProcessLookupError(pid)
        if number == signal.SIGKILL and not self.frozen:
            self.there.discard(pid)
            self.there.update(self.born)
            self.born = []

    def pids(self) -> set[int]:
        return set(self.there)

    def is_frozen(self) -> bool:
        return self.frozen

    def freeze(self, *, frozen: bool) -> None:
        if not self.can_freeze:
            raise OSError("stuck")
        self.frozen = frozen
        self.log.append("freeze" if frozen else "thaw")

    def send(self, number: int, patience_s: float = 60) -> bool:
        return killing.signal_all(cast(Cgroup, self), number, patience_s=patience_s)


def test_it_kills_until_nobody_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch, {11, 12})
    group.born = [13]
    assert group.send(9)
    assert {entry for entry in group.log if entry != "thaw"} >= {(11, 9), (12, 9), (13, 9)}


def test_the_frozen_are_thawed_to_die(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch, {11})
    group.frozen = True
    assert group.send(9)
    assert group.log[:2] == [(11, 9), "thaw"]


def test_who_does_not_die_in_time_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch, {11})
    group.there = {11}
    monkeypatch.setattr(os, "kill", lambda pid, number: None)
    assert not group.send(9, patience_s=0)


def test_version_2_is_killed_by_its_file_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    group = Group(monkeypatch, {11}, version=2)
    assert group.send(9)  # a kernel without the file
    group.there, group.folders = {11}, {"": str(tmp_path)}
    (tmp_path / "cgroup.kill").write_text("")
    assert group.send(9)
    assert (tmp_path / "cgroup.kill").read_text() == "1"


def test_another_signal_is_sent_once_while_all_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch, {11})
    assert group.send(15)
    assert group.log == ["freeze", (11, 15), "thaw"]


def test_a_paused_container_stays_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch, {11})
    group.frozen = True
    group.send(15)
    assert group.frozen and (11, 15) in group.log


def test_without_a_freezer_the_signal_is_sent_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch, {11, 12})
    group.can_freeze = False
    group.send(15)
    assert sorted(group.log) == [(11, 15), (12, 15)]


def test_nobody_signals_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(monkeypatch, {os.getpid()})
    group.send(15)
    assert group.log == ["freeze", "thaw"]
