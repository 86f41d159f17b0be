"""Namespaces that are made, joined by path, or left as they are."""

import os

import pytest

from support.ociruntime import NAMESPACES, Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]

FILES = {"network": "net", "mount": "mnt"}
MAPPINGS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def link(pid: "int | str", kind: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/{FILES.get(kind, kind)}")


def set_namespaces(lab: Lab, **paths: "str | None") -> None:
    """Those of the usual ones, with `kind="/path"` joined, `kind=""` new and `kind=None` left out."""
    wanted: dict[str, str | None] = {}
    wanted.update(dict.fromkeys(NAMESPACES, ""), **paths)
    entries = [(kind, path) for kind, path in wanted.items() if path is not None]
    lab.linux["namespaces"] = [{"type": kind} | ({"path": path} if path else {}) for kind, path in entries]


def test_a_namespace_without_a_path_is_new(lab: Lab) -> None:
    lab.detach()
    assert [kind for kind in NAMESPACES if link(lab.pid(), kind) == link("self", kind)] == []


def test_a_namespace_that_is_not_listed_is_the_callers(lab: Lab) -> None:
    set_namespaces(lab, network=None, ipc=None)
    lab.detach()
    assert [kind for kind in NAMESPACES if link(lab.pid(), kind) == link("self", kind)] == ["network", "ipc"]


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "pid"])
def test_a_namespace_with_a_path_is_joined(lab: Lab, kind: str) -> None:
    lab.detach()
    first, first_id, first_pid = link(lab.pid(), kind), lab.id, lab.pid()
    lab.id = lab.name()
    lab.linux["cgroupsPath"] = f"/{lab.id}"
    set_namespaces(lab, **{kind: f"/proc/{first_pid}/ns/{FILES.get(kind, kind)}"})
    lab.detach()
    assert link(lab.pid(), kind) == first
    others = [other for other in NAMESPACES if other != kind]
    assert [other for other in others if link(lab.pid(), other) == link(first_pid, other)] == []
    lab.call("delete", "--force", lab.id)
    assert lab.state(first_id)["status"] == "running"


def test_a_user_namespace_has_the_mappings_of_the_config(lab: Lab) -> None:
    set_namespaces(lab, user="")
    lab.linux["uidMappings"] = lab.linux["gidMappings"] = MAPPINGS
    lab.process["user"] = {"uid": 0, "gid": 0}
    assert lab.output("cat", "/proc/self/uid_map", "/proc/self/gid_map").split() == ["0", "100000", "65536"] * 2


def test_the_root_of_a_user_namespace_is_nobody_outside(lab: Lab) -> None:
    set_namespaces(lab, user="")
    lab.linux["uidMappings"] = lab.linux["gidMappings"] = MAPPINGS
    lab.process["user"] = {"uid": 5, "gid": 6}
    lab.detach()
    found = os.stat(f"/proc/{lab.pid()}")
    assert (found.st_uid, found.st_gid) == (100005, 100006)
    assert lab.exec("id", "-u", options=("--user", "7")) == "7"


def test_devices_work_in_a_user_namespace(lab: Lab) -> None:
    set_namespaces(lab, user="")
    lab.linux["uidMappings"] = lab.linux["gidMappings"] = MAPPINGS
    script = "echo x > /dev/null && head -c 2 /dev/zero | wc -c && head -c 3 /dev/urandom | wc -c"
    assert lab.output("sh", "-c", script).split() == ["2", "3"]


def test_hostname_and_sysctls_are_the_containers_own(lab: Lab) -> None:
    lab.config["hostname"] = "harbour"
    lab.linux["sysctl"] = {"net.ipv4.ping_group_range": "0 7", "kernel.shmmni": "1234"}
    before = os.uname().nodename
    found = lab.output("sh", "-c", "hostname; cat /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/shmmni")
    assert found.split() == ["harbour", "0", "7", "1234"]
    assert os.uname().nodename == before


def test_a_sysctl_of_the_host_is_refused(lab: Lab) -> None:
    lab.linux["sysctl"] = {"kernel.shmmni": "1234"}
    set_namespaces(lab, ipc=None)
    lab.write("true")
    assert "kernel.shmmni" in lab.refusal("create", "--bundle", lab.bundle, lab.id)


def test_the_loopback_device_of_a_new_network_is_up(lab: Lab) -> None:
    assert "127.0.0.1" in lab.output("ip", "address", "show", "lo")
