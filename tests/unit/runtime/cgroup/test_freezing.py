import time
from pathlib import Path

import pytest

from sampan.runtime.cgroup import files, freezing
from sampan.runtime.cgroup.files import CgroupError


class Kernel:
    """A freezer that needs some writes, or looks, before it is frozen; its clock moves with each look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, frozen_after: int) -> None:
        self.writes: list[object] = []
        self.looks = 0
        self.frozen_after = frozen_after
        monkeypatch.setattr(files, "write", lambda folder, name, value: self.writes.append(value))
        monkeypatch.setattr(files, "read", lambda folder, name: "FROZEN" if self.is_frozen() else "FREEZING")
        monkeypatch.setattr(files, "keyed", lambda folder, name, key: int(self.is_frozen()))
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        monkeypatch.setattr(time, "monotonic", lambda: self.looks * 0.02)

    def is_frozen(self) -> bool:
        self.looks += 1
        return self.looks > self.frozen_after


def test_version_1_is_told_again_while_it_is_freezing(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, 3)
    freezing.set_v1("", frozen=True)
    assert kernel.writes == ["FROZEN"] * 4


def test_version_1_is_thawed_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, 60)
    freezing.set_v1("", frozen=True)
    assert kernel.writes.count("THAWED") == 1
    assert kernel.writes[-1] == "FROZEN"


def test_what_does_not_freeze_in_time_is_thawed(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, 10**6)
    with pytest.raises(CgroupError, match="unable to freeze"):
        freezing.set_v1("/x", frozen=True)
    assert kernel.writes[-1] == "THAWED"
    kernel = Kernel(monkeypatch, 10**6)
    with pytest.raises(CgroupError, match="unable to freeze"):
        freezing.set_v2("/x", frozen=True)
    assert kernel.writes == [1, 0]


def test_version_2_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, 5)
    freezing.set_v2("", frozen=True)
    assert kernel.writes == [1] and kernel.looks == 6


def test_what_is_gone_is_thawed_but_cannot_be_frozen(tmp_path: Path) -> None:
    freezing.set_v1(str(tmp_path), frozen=False)
    freezing.set_v2(str(tmp_path), frozen=False)
    with pytest.raises(CgroupError):
        freezing.set_v1(str(tmp_path), frozen=True)
    with pytest.raises(CgroupError):
        freezing.set_v2(str(tmp_path), frozen=True)
