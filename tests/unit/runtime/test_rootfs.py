from typing import Any

import pytest

from sampan.linux import constants as c
from sampan.linux.mount import Mount
from sampan.runtime import rootfs
from sampan.runtime.binds import Bind, Remount
from sampan.runtime.boundnodes import BoundNodes
from sampan.runtime.cgroupmount import CgroupMount
from sampan.runtime.masking import Mask, ReadOnly, ReadOnlyAgain
from sampan.runtime.namespaces import Namespaces
from sampan.runtime.nodes import Nodes
from sampan.runtime.steps import FileSystem, Sysctl
from sampan.runtime.tmpcopyup import FilledTmpfs

MOUNTS: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
    {"destination": "/etc/hosts", "type": "bind", "source": "/x/hosts", "options": ["rbind", "ro"]},
    {"destination": "/tmp", "type": "tmpfs", "options": ["ro", "nosuid"]},
]


def spec(*kinds: str, mounts: list[dict[str, Any]] | None = None, **linux: Any) -> dict[str, Any]:
    namespaces = [{"type": kind} for kind in ("mount", "cgroup", *kinds)]
    return {
        "root": {"readonly": True},
        "mounts": MOUNTS if mounts is None else mounts,
        "linux": {"namespaces": namespaces, **linux},
    }


def kinds_of(found: dict[str, Any]) -> list[type]:
    return [type(step) for step in rootfs.plan(found, {})]


def test_steps_follow_the_order_of_the_config_and_restrictions_come_last() -> None:
    found = spec(maskedPaths=["/proc/kcore"], readonlyPaths=["/proc/sys"], sysctl={"net.ipv4.ip_forward": "1"})
    steps = rootfs.plan(found, {})
    assert [type(step) for step in steps] == [
        FileSystem,
        FileSystem,
        CgroupMount,
        Bind,
        FileSystem,
        Nodes,
        Sysctl,
        ReadOnly,
        Mask,
        ReadOnlyAgain,
        ReadOnlyAgain,
    ]
    assert [step.describe() for step in steps[-2:]] == ["remount /tmp read-only", "remount / read-only"]


def test_nodes_are_made_without_a_mount_for_dev_too_but_not_in_the_hosts() -> None:
    assert kinds_of(spec(mounts=[])) == [Nodes, ReadOnlyAgain]
    host = {"destination": "//dev/", "type": "none", "source": "/dev", "options": ["rbind", "ro"]}
    assert kinds_of(spec(mounts=[host])) == [Bind, ReadOnlyAgain]


def test_in_a_user_namespace_nodes_are_bound_with_the_owners_of_its_mappings() -> None:
    mappings = [{"containerID": 0, "hostID": 100000, "size": 10}]
    steps = rootfs.plan(spec("user", uidMappings=mappings, gidMappings=mappings), {})
    nodes = next(step for step in steps if isinstance(step, Nodes))
    assert isinstance(nodes, BoundNodes) and nodes.uids == nodes.gids == [(0, 100000, 10)]
    assert next(step for step in steps if isinstance(step, Bind)).in_user_namespace


def test_without_a_mount_namespace_nothing_is_mounted() -> None:
    found = spec(maskedPaths=["/a"])
    found["linux"]["namespaces"] = [{"type": "pid"}]
    (nodes,) = rootfs.plan(found, {})
    assert isinstance(nodes, Nodes) and not nodes.may_bind


def test_every_step_says_what_it_does() -> None:
    for step in rootfs.plan(spec(maskedPaths=["/a"], readonlyPaths=["/b"]), {}):
        assert step.describe()


def test_the_cgroup_mount_knows_whether_there_is_a_namespace() -> None:
    def cgroup_mount(found: dict[str, Any]) -> CgroupMount:
        return next(step for step in rootfs.plan(found, {}) if isinstance(step, CgroupMount))

    without = spec()
    without["linux"]["namespaces"] = [{"type": "mount"}]
    assert cgroup_mount(spec()).has_namespace and not cgroup_mount(without).has_namespace


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["tmpcopyup"], [FilledTmpfs]),
        (["rro"], [FileSystem, ReadOnlyAgain]),
        (["ro", "rw"], [FileSystem]),
        (["remount", "ro"], [Remount]),
        (["bind"], [Bind]),
    ],
)
def test_options_choose_the_kind_of_step(options: list[str], expected: list[type]) -> None:
    steps, again = rootfs.plan_mounts({"mounts": [{"destination": "/x", "type": "tmpfs", "options": options}]}, {})
    assert [type(step) for step in steps + again] == expected


def test_a_read_only_dev_is_made_so_when_its_nodes_are_there() -> None:
    dev = {"destination": "/dev", "type": "devtmpfs", "options": ["ro"]}
    assert kinds_of(spec(mounts=[dev])) == [FileSystem, Nodes, ReadOnlyAgain, ReadOnlyAgain]


def test_targets_are_cleaned_and_mappings_found() -> None:
    mapping = [{"containerID": 0, "hostID": 7, "size": 1}]
    mount = {"destination": "/a//../b/", "type": "bind", "source": "/x", "options": ["bind"]}
    steps, _ = rootfs.plan_mounts({"mounts": [mount, {**mount, "uidMappings": mapping, "gidMappings": mapping}]}, {})
    plain, mapped = steps
    assert isinstance(plain, Bind) and isinstance(mapped, Bind)
    assert plain.mount == Mount("bind", "/x", "/b", ["bind"]) and plain.id_map is None
    assert mapped.id_map is not None and mapped.id_map.uids == [(0, 7, 1)]


@pytest.mark.parametrize(
    ("path", "expected"), [("/b/rootfs/mnt/x", "/mnt/x"), ("/b/rootfs", "/"), ("/b/rootfs2/x", ""), ("/b", "")]
)
def test_paths_below_the_place_of_the_root_are_paths_in_the_root(path: str, expected: str) -> None:
    assert rootfs.below(path, "/b/rootfs") == rootfs.below(path, "/b/rootfs/") == expected
    mount = {"destination": path, "type": "bind", "source": path, "options": ["bind"]}
    (step,), _ = rootfs.plan_mounts({"mounts": [mount]}, {}, place="/b/rootfs")
    assert isinstance(step, Bind)
    assert (step.inner, step.mount.target) == (expected, expected or path)
    (step,), _ = rootfs.plan_mounts({"mounts": [mount]}, {})
    assert isinstance(step, Bind)
    assert (step.inner, step.mount.target) == ("", path)


# how mounts are tied to the host's


def tied(word: str = "", *options: str) -> dict[str, Any]:
    mount = {"destination": "/x", "type": "bind", "options": list(options)}
    return spec(mounts=[mount], **({"rootfsPropagation": word} if word else {}))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (tied(), c.MS_PRIVATE),
        (tied("", "rprivate"), c.MS_PRIVATE),
        (tied("", "rslave"), c.MS_SLAVE),
        (tied("", "shared"), c.MS_SLAVE),
        (tied("rshared"), c.MS_SHARED),
        (tied("slave", "shared"), c.MS_SLAVE),
        (tied("unbindable"), c.MS_PRIVATE),
        (tied("rprivate", "rshared"), c.MS_PRIVATE),
    ],
)
def test_the_copies_of_the_hosts_mounts_are_no_more_tied_to_it_than_asked(found: Any, expected: int) -> None:
    assert rootfs.propagation_of_host(found) == expected
    assert rootfs.is_shared(found) == (expected == c.MS_SHARED)


def test_only_a_slave_root_shows_what_the_host_mounts_in_it() -> None:
    assert rootfs.is_slave(tied("slave")) and rootfs.is_slave(tied("rslave"))
    assert not any(map(rootfs.is_slave, (tied(), tied("shared"), tied("", "rslave"))))


def test_a_mount_namespace_is_new_or_joined() -> None:
    assert rootfs.has_mounts(Namespaces([{"type": "mount"}]))
    assert rootfs.has_mounts(Namespaces([{"type": "mount", "path": "/proc/7/ns/mnt"}]))
    assert not rootfs.has_mounts(Namespaces([{"type": "pid"}]))
