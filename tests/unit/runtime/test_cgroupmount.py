from sampan.runtime.cgroupmount import hierarchies


def test_each_hierarchy_is_mounted_once_and_a_shared_one_has_links() -> None:
    folders = {"cpu": "/c/cpu,cpuacct/x", "cpuacct": "/c/cpu,cpuacct/x", "memory": "/c/memory/x"}
    assert hierarchies(folders) == [
        ("/c/cpu,cpuacct/x", ["cpu,cpuacct", "cpu", "cpuacct"], "cpu,cpuacct"),
        ("/c/memory/x", ["memory"], "memory"),
    ]


def test_a_named_hierarchy_has_no_controllers() -> None:
    assert hierarchies({"name=systemd": "/c/systemd/x"}) == [("/c/systemd/x", ["systemd"], "none,name=systemd")]
