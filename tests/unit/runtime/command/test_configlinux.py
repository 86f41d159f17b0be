from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command import configlinux

MAP = {"containerID": 0, "hostID": 1000, "size": 1}


def check(*namespaces: str, rootless: bool = False, **fields: Any) -> None:
    """Check a `linux` object; namespaces as "type" or "type=path"."""
    entries = []
    for word in namespaces:
        kind, _, path = word.partition("=")
        entries.append({"type": kind} | ({"path": path} if path else {}))
    top = {name: fields.pop(name) for name in ("hostname", "domainname") if name in fields}
    configlinux.check(top | {"linux": {"namespaces": entries} | fields}, rootless=rootless)


def test_nothing_at_all_is_good() -> None:
    configlinux.check({}, rootless=False)
    check("pid", "network", "mount", "ipc", "uts", "cgroup", "time")


@pytest.mark.parametrize(
    ("namespaces", "message"),
    [
        (["pod"], "namespace 'pod' does not exist"),
        (["pid", "pid"], "duplicated ns 'pid'"),
        (["pid=proc/1/ns/pid"], "not absolute"),
        (["pid=/nowhere/at/all"], "/nowhere/at/all of pid does not exist"),
    ],
)
def test_namespaces_are_known_and_named_once(namespaces: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check(*namespaces)


def test_names_need_a_namespace_for_them() -> None:
    check("uts", hostname="a", domainname="b")
    for name in ("hostname", "domainname"):
        with pytest.raises(InvalidArgument, match=f"unable to set {name} without a private UTS namespace"):
            check("pid", **{name: "a"})


def test_mappings_and_the_user_namespace_go_together() -> None:
    check("user", uidMappings=[MAP], gidMappings=[MAP])
    check("user=/proc/self/ns/user")
    check("user")  # one without mappings: crun's tests have them
    with pytest.raises(InvalidArgument, match="user namespace isn't enabled"):
        check("pid", uidMappings=[MAP])


@pytest.mark.parametrize("change", [{"hostID": -1}, {"containerID": -1}, {"size": 0}, {"size": 1 << 32}])
def test_mappings_are_ranges_of_ids(change: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument, match="invalid gidMappings"):
        check("user", uidMappings=[MAP], gidMappings=[MAP | change])


def test_the_kernel_takes_so_many_mappings() -> None:
    with pytest.raises(InvalidArgument, match="no more than 340"):
        check("user", uidMappings=[MAP] * 341)


def test_time_offsets_need_a_new_time_namespace() -> None:
    check("time", timeOffsets={"monotonic": {"secs": 1}})
    with pytest.raises(InvalidArgument, match="time namespace isn't enabled"):
        check(timeOffsets={"monotonic": {"secs": 1}})
    with pytest.raises(InvalidArgument, match="you may only provide one"):
        check("time=/proc/self/ns/time", timeOffsets={"monotonic": {"secs": 1}})
    with pytest.raises(InvalidArgument, match="no clock 'wall'"):
        check("time", timeOffsets={"wall": {"secs": 1}})


def test_paths_are_hidden_in_a_mount_namespace_only() -> None:
    check("mount", maskedPaths=["/proc/kcore"])
    for name in ("maskedPaths", "readonlyPaths"):
        with pytest.raises(InvalidArgument, match="without a private MNT namespace"):
            check(**{name: ["/proc/kcore"]})


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        ("kernel.shmmax", "ipc"),
        ("kernel/shmmax", "ipc"),
        ("fs.mqueue.msg_max", "ipc"),
        ("fs/mqueue/msg_max", "ipc"),
        ("net.ipv4.ip_forward", "network"),
        ("net/ipv4/conf/eth0.1/rp_filter", "network"),
        ("user.max_mnt_namespaces", "user"),
        ("kernel.domainname", "uts"),
    ],
)
def test_a_sysctl_needs_its_namespace(name: str, namespace: str) -> None:
    maps: dict[str, Any] = {"uidMappings": [MAP]} if namespace == "user" else {}
    check(namespace, sysctl={name: "1"}, **maps)
    with pytest.raises(InvalidArgument, match=f"sysctl .*host's {namespace} namespace"):
        check("pid", sysctl={name: "1"})


def test_a_sysctl_of_the_host_by_way_of_its_own_namespace_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="host's network namespace"):
        check("network=/proc/self/ns/net", sysctl={"net.ipv4.ip_forward": "1"})


@pytest.mark.parametrize(
    "name", ["vm.swappiness", "kernel.panic", "kernel.hostname", "net", "fs.file-max", "kernel/../vm"]
)
def test_a_sysctl_of_the_whole_machine_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="sysctl"):
        check("ipc", "network", "uts", "pid", sysctl={name: "1"})


def test_a_domain_name_may_be_given_twice_when_both_agree() -> None:
    check("uts", domainname="a", sysctl={"kernel.domainname": "a"})
    with pytest.raises(InvalidArgument, match="conflicts"):
        check("uts", domainname="a", sysctl={"kernel.domainname": "b"})


def test_dotted_turns_slashes_round() -> None:
    assert configlinux.dotted("net/ipv4/conf/eno2.100/x") == "net.ipv4.conf.eno2/100.x"
    assert configlinux.dotted("net.ipv4.conf.eno2/100.x") == "net.ipv4.conf.eno2/100.x"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rootfsPropagation": "sideways"}, "rootfsPropagation=sideways is not supported"),
        ({"devices": [{"path": "dev/x", "type": "c"}]}, "not absolute"),
        ({"devices": [{"path": "/dev/x", "type": "z"}]}, "invalid device type 'z' of /dev/x"),
        ({"resources": {"devices": [{"allow": True, "type": "p"}]}}, "invalid cgroup device type 'p'"),
        ({"intelRdt": {"closID": "a/b"}}, 'invalid intelRdt.ClosID "a/b"'),
        ({"intelRdt": {"closID": ".."}}, "invalid intelRdt.ClosID"),
        ({"personality": {"domain": "MARS"}}, "invalid personality domain MARS"),
        ({"netDevices": {"a/b": {}}}, 'invalid network device name "a/b"'),
        ({"netDevices": {"eth0": {"name": "x" * 16}}}, "invalid network device name"),
    ],
)
def test_further_fields_are_looked_at(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check("network", **fields)


def test_network_devices_go_to_a_network_namespace_of_roots() -> None:
    check("network", netDevices={"eth0": {"name": "eth1"}, "eth2": {}})
    with pytest.raises(InvalidArgument, match="without a NET namespace"):
        check("pid", netDevices={"eth0": {}})
    with pytest.raises(InvalidArgument, match="rootless"):
        check("network", netDevices={"eth0": {}}, rootless=True)


def test_the_whole_root_may_be_the_rdt_class() -> None:
    check(intelRdt={"closID": "/"})
