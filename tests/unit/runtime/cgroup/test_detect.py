import pytest

from sampan.runtime.cgroup.detect import cgroup_for, parse

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
