import os
from pathlib import Path

import pytest

from sampan.runtime.cgroup.files import CgroupError
from sampan.runtime.cgroup.inside import Inside, of_v1, of_v2


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """A container's directories on version 1, with "foo" in one of them."""
    for path in ("memory/foo", "pids"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "tasks").write_text("")
    (tmp_path / "memory/tasks").write_text("")
    return {name: str(tmp_path / name) for name in ("memory", "pids")}


def entered(inside: Inside) -> list[str]:
    fds = inside.entry_fds()
    paths = [os.readlink(f"/proc/self/fd/{fd}") for fd in fds]
    for fd in fds:
        os.close(fd)
    return paths


def test_a_path_for_all_is_entered_where_it_is(folders: dict[str, str]) -> None:
    assert entered(of_v1(folders, {"": "foo"})) == [f"{folders['memory']}/foo/tasks", f"{folders['pids']}/tasks"]
    assert entered(of_v1(folders, {"": "/"})) == [f"{folder}/tasks" for folder in folders.values()]
    assert of_v1(folders, {"": "foo"}).clone_fd() == 0


def test_a_path_for_a_controller_has_to_be_there(folders: dict[str, str]) -> None:
    assert of_v1(folders, {"memory": "foo"}).folders == [f"{folders['memory']}/foo", folders["pids"]]
    for where in ({"pids": "foo"}, {"": "bar"}):
        with pytest.raises(CgroupError, match=r"cannot enter cgroup .*: No such file"):
            of_v1(folders, where)
    with pytest.raises(CgroupError, match="unknown controller cpu"):
        of_v1(folders, {"cpu": "foo"})


def test_version_2_has_one_place(tmp_path: Path) -> None:
    (tmp_path / "foo").mkdir()
    (tmp_path / "foo/cgroup.procs").write_text("")
    inside = of_v2(str(tmp_path), {"": "/foo/"})
    assert entered(inside) == [f"{tmp_path}/foo/cgroup.procs"]
    fd = inside.clone_fd()
    assert os.readlink(f"/proc/self/fd/{fd}") == f"{tmp_path}/foo"
    os.close(fd)
    with pytest.raises(CgroupError, match="No such file"):
        of_v2(str(tmp_path), {"": "gone"})
    with pytest.raises(CgroupError, match="no hierarchy of controller memory"):
        of_v2(str(tmp_path), {"memory": "foo"})


def test_nobody_leaves_by_dots(folders: dict[str, str]) -> None:
    with pytest.raises(CgroupError, match="not allowed"):
        of_v1(folders, {"": "foo/../.."})
    with pytest.raises(CgroupError, match="not allowed"):
        of_v2(folders["memory"], {"": "../pids"})
