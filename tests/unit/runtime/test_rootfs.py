import stat
from typing import Any

from sampan.runtime import rootfs
from sampan.runtime.cgroupmount import CgroupMount
from sampan.runtime.steps import Bind, FileSystem, Mask, Nodes, ReadOnly, ReadOnlyAgain, Sysctl


def spec(**linux: Any) -> dict[str, Any]:
    return {
        "root": {"readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
            {"destination": "/etc/hosts", "type": "bind", "source": "/x/hosts", "options": ["rbind", "ro"]},
            {"destination": "/tmp", "type": "tmpfs", "options": ["ro", "nosuid"]},
        ],
        "linux": {"namespaces": [{"type": "cgroup"}], **linux},
    }


def test_steps_follow_the_order_of_the_config_and_restrictions_come_last() -> None:
    steps = rootfs.plan(
        spec(maskedPaths=["/proc/kcore"], readonlyPaths=["/proc/sys"], sysctl={"net.ipv4.ip_forward": "1"}), {}
    )
    kinds = [type(step) for step in steps]
    assert kinds == [
        FileSystem,
        FileSystem,
        Nodes,
        CgroupMount,
        Bind,
        FileSystem,
        Sysctl,
        ReadOnly,
        Mask,
        ReadOnlyAgain,
        ReadOnlyAgain,
    ]
    assert steps[-1].describe() == "remount / read-only"


def test_the_usual_devices_are_there_and_named_ones_replace_them() -> None:
    device = {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 5}
    fuse = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}
    nodes = next(step for step in rootfs.plan(spec(devices=[device, fuse]), {}) if isinstance(step, Nodes)).nodes
    by_path = {path: rest for path, *rest in nodes}
    assert by_path["/dev/null"] == [stat.S_IFCHR | 0o600, 1, 3, 5, 0]
    assert by_path["/dev/zero"] == [stat.S_IFCHR | 0o666, 1, 5, 0, 0]
    assert by_path["/dev/fuse"][1:3] == [10, 229]
    assert len(nodes) == 7


def test_every_step_says_what_it_does() -> None:
    for step in rootfs.plan(spec(maskedPaths=["/a"], readonlyPaths=["/b"]), {}):
        assert step.describe()


def test_the_cgroup_mount_knows_whether_there_is_a_namespace() -> None:
    with_one = next(step for step in rootfs.plan(spec(), {}) if isinstance(step, CgroupMount))
    without = next(step for step in rootfs.plan(spec(namespaces=[]), {}) if isinstance(step, CgroupMount))
    assert with_one.has_namespace and not without.has_namespace
