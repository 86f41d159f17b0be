import pytest

from sampan.runtime import cgroupmount
from sampan.runtime.cgroup.detect import Hierarchies
from sampan.runtime.cgroupmount import hierarchies, of_creator


def test_each_hierarchy_is_mounted_once_and_a_shared_one_has_links() -> None:
    folders = {"cpu": "/c/cpu,cpuacct/x", "cpuacct": "/c/cpu,cpuacct/x", "memory": "/c/memory/x"}
    assert hierarchies(folders) == [
        ("/c/cpu,cpuacct/x", ["cpu,cpuacct", "cpu", "cpuacct"], "cpu,cpuacct"),
        ("/c/memory/x", ["memory"], "memory"),
    ]


def test_a_named_hierarchy_has_no_controllers() -> None:
    assert hierarchies({"name=systemd": "/c/systemd/x"}) == [("/c/systemd/x", ["systemd"], "none,name=systemd")]


def test_without_cgroups_of_its_own_a_container_sees_its_creators(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Hierarchies({"memory": "/c/memory", "cpu": "/c/cpu", "name=systemd": "/c/systemd"}, "/c/unified")
    monkeypatch.setattr(cgroupmount, "of_machine", lambda: machine)
    text = "4:memory:/a/b\n3:cpu,cpuacct:/\n2:pids:/x\n1:name=systemd:/s\n0::/u\n"
    assert of_creator(text) == {"memory": "/c/memory/a/b", "cpu": "/c/cpu", "name=systemd": "/c/systemd/s"}
    monkeypatch.setattr(cgroupmount, "of_machine", lambda: Hierarchies({}, "/sys/fs/cgroup"))
    assert of_creator("0::/user.slice/x\n") == {"": "/sys/fs/cgroup/user.slice/x"}
