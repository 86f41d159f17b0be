import os
from pathlib import Path

import pytest

from sampan.linux import devicefilter
from sampan.runtime.cgroup import files
from sampan.runtime.cgroup.files import CgroupError
from sampan.runtime.cgroup.v2 import CgroupV2


def hierarchy(root: Path, given: str, to_containers: str) -> None:
    """What the root gives on, and what "/sampan" does."""
    (root / "sampan").mkdir()
    (root / "cgroup.controllers").write_text("memory pids\n")
    (root / "cgroup.subtree_control").write_text(f"{given}\n")
    (root / "sampan/cgroup.subtree_control").write_text(f"{to_containers}\n")


def test_controllers_are_enabled_from_the_root_down(tmp_path: Path) -> None:
    hierarchy(tmp_path, "", "")
    assert CgroupV2("/sampan/x", str(tmp_path)).create()
    assert (tmp_path / "sampan/x").is_dir()
    for folder in (tmp_path, tmp_path / "sampan"):
        assert (folder / "cgroup.subtree_control").read_text().startswith("+pids")


def test_what_another_launch_has_not_yet_enabled_is(tmp_path: Path) -> None:
    hierarchy(tmp_path, "memory pids", "memory")
    CgroupV2("/sampan/x", str(tmp_path)).create()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "memory pids\n"
    assert (tmp_path / "sampan/cgroup.subtree_control").read_text().startswith("+pids")


def test_a_hierarchy_that_is_ready_is_not_written_to(tmp_path: Path) -> None:
    hierarchy(tmp_path, "memory pids rdma", "pids memory")
    cgroup = CgroupV2("/sampan/x", str(tmp_path))
    assert cgroup.create()
    assert not cgroup.create()  # it is there
    assert (tmp_path / "sampan/cgroup.subtree_control").read_text() == "pids memory\n"


def test_below_a_cgroup_with_processes_it_becomes_threaded(tmp_path: Path) -> None:
    hierarchy(tmp_path, "", "")
    (tmp_path / "sampan/cgroup.subtree_control").unlink()  # stands for a kernel that refuses
    (tmp_path / "sampan/cgroup.subtree_control").symlink_to("/proc/version")
    (tmp_path / "sampan/x").mkdir()
    (tmp_path / "sampan/x/cgroup.type").write_text("domain invalid\n")
    CgroupV2("/sampan/x", str(tmp_path)).create()
    assert (tmp_path / "sampan/x/cgroup.type").read_text().startswith("threaded")


def place_of(fd: int) -> str:
    path = os.readlink(f"/proc/self/fd/{fd}")
    os.close(fd)
    return path


def divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> CgroupV2:
    """A container's cgroup that is divided, with process 77 at `where`."""
    (tmp_path / "x/init.scope").mkdir(parents=True)
    (tmp_path / "x/cgroup.subtree_control").write_text("memory pids\n")
    for folder in ("x", "x/init.scope"):
        (tmp_path / folder / "cgroup.procs").write_text("")
    monkeypatch.setattr(files, "read_all", {"/proc/77/cgroup": f"1:name=old:/\n0::{where}\n"}.__getitem__)
    return CgroupV2("/x", str(tmp_path))


def test_a_process_is_born_in_the_directory(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/cgroup.subtree_control").write_text("\n")
    cgroup = CgroupV2("/x", str(tmp_path))
    assert place_of(cgroup.clone_fd()) == place_of(cgroup.clone_fd(os.getpid())) == str(tmp_path / "x")


def test_in_a_cgroup_that_the_container_has_divided_it_is_born_beside_the_first_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroup = divided(tmp_path, monkeypatch, "/x/init.scope")
    assert place_of(cgroup.clone_fd(77)) == str(tmp_path / "x/init.scope")
    assert place_of(cgroup.entry_fds(77)[0]) == str(tmp_path / "x/init.scope/cgroup.procs")


def test_a_first_process_that_left_the_container_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place_of(divided(tmp_path, monkeypatch, "/elsewhere").clone_fd(77)) == str(tmp_path / "x")


def test_a_process_enters_a_cgroup_inside(tmp_path: Path) -> None:
    (tmp_path / "x/foo").mkdir(parents=True)
    assert place_of(CgroupV2("/x", str(tmp_path)).below({"": "foo"}).clone_fd(77)) == str(tmp_path / "x/foo")


def test_limits_are_written_to_the_directory(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/pids.max").write_text("")
    CgroupV2("/x", str(tmp_path)).apply({"pids": {"limit": 9}})
    assert (tmp_path / "x/pids.max").read_text() == "9"


def test_a_new_cgroup_gets_a_filter_and_any_other_a_new_one_for_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hierarchy(tmp_path, "memory pids", "memory pids")
    calls = []
    monkeypatch.setattr(devicefilter, "attach", lambda folder, rules, *, replace: calls.append(replace))
    cgroup = CgroupV2("/sampan/x", str(tmp_path))
    cgroup.create()
    cgroup.apply({"devices": [{"allow": False}]})
    cgroup.update({"devices": [{"allow": True}]})
    cgroup.create()
    cgroup.apply({"devices": [{"allow": False}]})
    assert calls == [False, True, True]


def test_only_being_rootless_excuses_the_lack_of_a_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()

    def refuse(folder: str, rules: object, *, replace: bool) -> None:
        raise PermissionError(1, "bpf")

    monkeypatch.setattr(devicefilter, "attach", refuse)
    monkeypatch.setattr(files, "is_rootless", lambda: True)
    CgroupV2("/x", str(tmp_path)).apply({"devices": [{"allow": False}]})
    monkeypatch.setattr(files, "is_rootless", lambda: False)
    with pytest.raises(PermissionError):
        CgroupV2("/x", str(tmp_path)).apply({"devices": [{"allow": False}]})


def test_an_unreadable_device_rule_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(CgroupError, match="invalid device rule: type 'p'"):
        CgroupV2("/x", str(tmp_path)).apply({"devices": [{"allow": True, "type": "p"}]})


def test_it_is_frozen_when_it_says_so_itself(tmp_path: Path) -> None:
    cgroup = CgroupV2("/x", str(tmp_path))
    assert not cgroup.is_frozen()  # it is gone
    (tmp_path / "x").mkdir()
    (tmp_path / "x/cgroup.freeze").write_text("1\n")
    assert cgroup.is_frozen()


def test_the_containers_root_user_gets_what_the_kernel_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/cgroup.procs").write_text("")
    given = []

    def chown(path: str, uid: int, gid: int) -> None:
        if not os.path.exists(path):
            raise FileNotFoundError(path)
        given.append((path.removeprefix(str(tmp_path)), uid, gid))

    monkeypatch.setattr(os, "chown", chown)
    CgroupV2("/x", str(tmp_path)).delegate(1000, 1001)
    assert given == [("/x", 1000, 1001), ("/x/cgroup.procs", 1000, 1001)]
