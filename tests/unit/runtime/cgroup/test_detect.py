import os

import pytest

from sampan.runtime.cgroup import detect, files
from sampan.runtime.cgroup.detect import Hierarchies, cgroup_for, default_path, parse, parse_below
from sampan.runtime.cgroup.files import CgroupError

V1 = """
24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw
25 24 0:23 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
26 24 0:24 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory
27 24 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
28 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
""".strip()
V2 = "30 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate"


def test_version_1_controllers_are_found_where_they_are_mounted() -> None:
    found = parse(V1)
    assert found.v1["cpu"] == found.v1["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct"
    assert found.v1["name=systemd"] == "/sys/fs/cgroup/systemd"
    assert found.v2 == "/sys/fs/cgroup/unified"
    assert not found.is_v2


def test_a_machine_with_only_the_unified_hierarchy_uses_version_2() -> None:
    found = parse(V2)
    assert found.is_v2 and found.v2 == "/sys/fs/cgroup"


def test_the_root_is_nobodys_cgroup() -> None:
    for path in ("/", "", "/../"):
        with pytest.raises(ValueError, match="not the root"):
            cgroup_for(path)


def test_a_path_cannot_climb_out_of_the_hierarchy() -> None:
    assert cgroup_for("/sampan/../../etc").path == "/etc"


def test_a_path_without_a_slash_is_below_the_root_too() -> None:
    assert cgroup_for("a/b").path == cgroup_for("/a/b").path == "/a/b"


def test_a_container_without_a_path_gets_one_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_path("c1", "cgroupfs") == "/c1"
    assert default_path("c1", "systemd") == ":sampan:c1"
    assert cgroup_for("", name="c1").path == "/c1"


def test_a_users_container_is_beside_the_users_own_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(detect, "_found", [Hierarchies({}, "/sys/fs/cgroup")])
    monkeypatch.setattr(detect, "_own_path", lambda: "/user.slice/user@1000.service/session.scope")
    assert default_path("c1", "cgroupfs") == "/user.slice/user@1000.service/c1"


def test_managers_go_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cgroup_for("/x", manager="disabled").path == ""
    monkeypatch.setattr(files, "is_rootless", lambda: False)
    scope = cgroup_for("a-b.slice:p:n", manager="systemd")
    assert (scope.path, scope.unit, scope.must_adopt) == ("/a.slice/a-b.slice/p-n.scope", "p-n.scope", True)
    assert cgroup_for("/x").unit == "" and not cgroup_for("/x").must_adopt


def test_the_cgroups_to_enter_are_named_alone_or_by_controller() -> None:
    assert parse_below(["foo/bar"]) == {"": "foo/bar"}
    assert parse_below(["cpu,memory:a", "pids:b", "c"]) == {"cpu": "a", "memory": "a", "pids": "b", "": "c"}
    with pytest.raises(ValueError, match="named twice"):
        parse_below(["cpu:a", "cpu:b"])
    with pytest.raises(CgroupError, match="not allowed"):
        parse_below(["../x"])
