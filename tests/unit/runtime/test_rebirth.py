import os
from pathlib import Path

import pytest

from sampan.runtime import rebirth


def test_mappings_are_written_line_by_line_and_groups_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, str]] = []
    monkeypatch.setattr(rebirth, "_write", lambda pid, name, text: written.append((name, text)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    uids = [{"containerID": 0, "hostID": 1000, "size": 1}, {"containerID": 1, "hostID": 100000, "size": 65536}]
    rebirth.write_mappings(7, uids, [{"containerID": 0, "hostID": 5, "size": 9}])
    assert written == [("gid_map", "0 5 9\n"), ("uid_map", "0 1000 1\n1 100000 65536\n")]


def test_a_user_maps_himself_without_help_and_gives_up_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(rebirth, "_write", lambda pid, name, text: written.append(name))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    own = [{"containerID": 0, "hostID": 1000, "size": 1}]
    rebirth.write_mappings(7, own, own)
    assert written == ["setgroups", "gid_map", "uid_map"]


def test_more_than_himself_a_user_maps_through_the_programs_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(rebirth, "_run", lambda program, pid, mappings: called.append(program))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    rebirth.write_mappings(7, [{"containerID": 0, "hostID": 100000, "size": 65536}], [])
    assert called == ["newgidmap", "newuidmap"]


def test_whoever_may_choose_groups_is_told_by_the_kernel() -> None:
    assert rebirth.may_set_groups() is (Path("/proc/self/setgroups").read_text().strip() != "deny")
