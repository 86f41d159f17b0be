import errno
import os
import time
from pathlib import Path

import pytest

from sampan.runtime.cgroup import files
from sampan.runtime.cgroup.files import CgroupError


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
    (tmp_path / "cgroup.procs").write_text("0\n7\n0\n")  # 0: of another PID namespace, and everybody to kill(2)
    assert files.pids(str(tmp_path)) == {3, 7}
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
        ({"type": "u", "major": 8, "minor": 1, "access": "m"}, "c 8:1 m"),
    ],
)
def test_device_rules_are_written_as_version_1_reads_them(rule: "dict[str, object]", text: str) -> None:
    assert files.device_rule_text(rule) == text


class Kernel:
    """Files that take a value only beside others, as a period and a quota."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, valid: "dict[str, int]") -> None:
        self.now: dict[str, object] = {}
        self.valid = valid  # a name to how many values must be there first
        monkeypatch.setattr(files, "write", self.write)

    def write(self, folder: str, name: str, value: object) -> None:
        if len(self.now) < self.valid.get(name, 0):
            raise CgroupError(errno.EINVAL, f"{name}: invalid")
        self.now[name] = value


def test_values_that_depend_on_each_other_find_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, {"third": 2, "second": 1})
    files.write_together("", [("third", 3), ("second", 2), ("first", 1)])
    assert list(kernel.now) == ["first", "third", "second"] or list(kernel.now) == ["first", "second", "third"]


def test_what_stays_invalid_is_reported_after_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, {"never": 9})
    with pytest.raises(CgroupError, match="never: invalid"):
        files.write_together("", [("never", 3), ("first", 1)])
    assert kernel.now == {"first": 1}


def test_another_refusal_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("")
    with pytest.raises(CgroupError, match=r"failed to write '1' to .*/a: No such file") as caught:
        files.write_together(str(tmp_path), [("a", 1), ("b", 2)])
    assert caught.value.errno == errno.ENOENT
    assert (tmp_path / "b").read_text() == ""


def test_an_error_tells_its_text_alone() -> None:
    assert str(CgroupError(errno.EINVAL, "no")) == str(CgroupError("no")) == "no"


def test_a_busy_cgroup_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    rmdir, tries = os.rmdir, []

    def busy(path: str) -> None:
        tries.append(path)
        if len(tries) < 4:
            raise OSError(errno.EBUSY, "busy")
        rmdir(path)

    monkeypatch.setattr(os, "rmdir", busy)
    files.remove(str(tmp_path / "x"), time.monotonic() + 60)
    assert not (tmp_path / "x").exists()


def test_a_busy_cgroup_is_an_error_when_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()

    def busy(path: str) -> None:
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(os, "rmdir", busy)
    with pytest.raises(OSError, match="busy"):
        files.remove(str(tmp_path / "x"))


@pytest.mark.parametrize(
    ("text", "path"), [("", ""), ("/", ""), ("foo", "/foo"), ("/foo//bar/", "/foo/bar"), ("./a", "/a")]
)
def test_a_path_below_is_made_to_be_appended(text: str, path: str) -> None:
    assert files.sub_path(text) == path


@pytest.mark.parametrize("text", ["..", "../out", "./../out", "foo/..", "foo/../bar"])
def test_a_path_below_cannot_leave(text: str) -> None:
    with pytest.raises(CgroupError, match=r"`\.\.` components are not allowed"):
        files.sub_path(text)


@pytest.mark.parametrize(
    ("euid", "uid_map", "expected"),
    [(0, "         0          0 4294967295\n", False), (0, "0 1000 1\n", True), (7, "", True), (0, "", True)],
)
def test_rootless_is_whoever_is_not_the_machines_root(
    monkeypatch: pytest.MonkeyPatch, euid: int, uid_map: str, expected: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    monkeypatch.setattr(files, "read_all", {"/proc/self/uid_map": uid_map}.__getitem__)
    assert files.is_rootless() is expected
