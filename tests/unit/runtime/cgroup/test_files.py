from pathlib import Path

import pytest

from sampan.runtime.cgroup import files


def test_cgroups_are_made_with_their_parents(tmp_path: Path) -> None:
    assert files.make(f"{tmp_path}/a/b/c")
    assert not files.make(f"{tmp_path}/a/b/c")


def test_nested_cgroups_are_removed_and_a_missing_one_is_no_error(tmp_path: Path) -> None:
    files.make(f"{tmp_path}/a/b/c")
    files.make(f"{tmp_path}/a/d")
    files.remove(f"{tmp_path}/a")
    files.remove(f"{tmp_path}/a")
    assert list(tmp_path.iterdir()) == []


def test_processes_are_found_in_the_whole_tree(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "cgroup.procs").write_text("1\n2\n")
    (tmp_path / "sub/cgroup.procs").write_text("3\n")
    assert files.pids(str(tmp_path)) == {1, 2, 3}
    assert files.pids(str(tmp_path / "gone")) == set()


def test_a_keyed_file_gives_zero_for_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\noom_kill 3\n")
    assert files.keyed(str(tmp_path), "memory.events", "oom_kill") == 3
    assert files.keyed(str(tmp_path), "memory.events", "high") == 0
    assert files.keyed(str(tmp_path), "absent", "high") == 0


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({}, "a *:* rwm"),
        ({"type": "c", "major": 136, "access": "rw"}, "c 136:* rw"),
        ({"type": "b", "major": 8, "minor": -1}, "b 8:* rwm"),
    ],
)
def test_device_rules_are_written_as_version_1_reads_them(rule: "dict[str, object]", text: str) -> None:
    assert files.device_rule_text(rule) == text
