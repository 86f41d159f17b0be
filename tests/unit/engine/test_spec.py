"""The OCI config is Docker's own, field by field; `golden/` holds what Docker 28.5 made of the same containers.

Each file has Docker's inspect of a container (config, host, mounts) and the config.json it gave to runc, without the
seccomp filter. Differences that we want are named in `wanted`.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.engine.containers.record import ContainerRecord, MountPoint
from sampan.engine.devices import DeviceNode, default_rules
from sampan.engine.idmapping import IdMapping
from sampan.engine.spec import HostFacts, build_spec
from sampan.errors import Unimplemented
from sampan.linux.capabilities import NAMES

Json = dict[str, Any]
GOLDEN = sorted(Path(__file__).with_name("golden").glob("*.json"))
NULL = DeviceNode("/dev/null", "c", 1, 3, 0o666, 0, 0)
# The machine on which the files were made had all but one.
FACTS = HostFacts(
    hostname="vm",
    capabilities=frozenset(NAMES) - {"CAP_SYS_RESOURCE"},
    cgroup_parent="/docker",
    find_devices=lambda path: [NULL],
)


def record(*, config: Json | None = None, host: Json | None = None, mounts: tuple[MountPoint, ...] = ()) -> Any:
    return ContainerRecord(
        id="c" * 64,
        name="name",
        created_ns=1,
        image_id="sha256:0",
        path="sh",
        args=[],
        config=msgspec.convert({"Hostname": "box", **(config or {})}, ContainerConfig),
        host=msgspec.convert(host or {}, HostConfig),
        networking=NetworkingConfig(),
        mounts=list(mounts),
    )


def spec(**options: Any) -> Json:
    return build_spec(record(**options), FACTS, "/containers/c")


def from_golden(golden: Json) -> Any:
    return ContainerRecord(
        id=golden["id"],
        name="name",
        created_ns=1,
        image_id="sha256:0",
        path=golden["path"],
        args=golden["args"],
        config=msgspec.convert(golden["config"], ContainerConfig),
        host=msgspec.convert(golden["host"], HostConfig),
        networking=NetworkingConfig(),
        mounts=[MountPoint(**mount) for mount in golden["mounts"]],
    )


def wanted(docker: Json, host: Json) -> Json:
    """Docker's config as it would be without what is Docker's or runc's own way."""
    linux = docker["linux"]
    # Docker lists its rules twice, and runc adds the rest of the usual devices by itself.
    rules = linux["resources"]["devices"]
    custom = rules[16:]
    if host["Privileged"]:
        linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
        linux["devices"] = [NULL.to_json("/dev/null")]
    else:
        for rule in custom:
            rule.update({"minor": None} if rule["minor"] == -1 else {})
        linux["resources"]["devices"] = default_rules() + [
            {key: value for key, value in rule.items() if value is not None} for rule in custom
        ]
    linux.setdefault("maskedPaths", [])
    linux.setdefault("readonlyPaths", [])
    docker["process"].setdefault("terminal", False)
    docker["process"].setdefault("noNewPrivileges", False)
    docker["root"].setdefault("readonly", False)
    for name in ("bounding", "effective", "permitted"):
        docker["process"]["capabilities"].setdefault(name, [])
    return docker


def by_destination(found: Json) -> Json:
    return {mount["destination"]: mount for mount in found["mounts"]}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_config_is_dockers(path: Path) -> None:
    golden = json.loads(path.read_text())
    ours = build_spec(from_golden(golden), FACTS, "/containers/c")
    docker = wanted(golden["expected"], golden["host"])
    assert by_destination(ours) == by_destination(docker)
    assert ours.pop("ociVersion") == "1.2.1"
    assert ours["process"].pop("user") == {"uid": 0, "gid": 0}
    assert ours["root"].pop("path") == "rootfs"
    for found in (ours, docker):
        found["linux"]["namespaces"] = {namespace["type"] for namespace in found["linux"]["namespaces"]}
        found["mounts"] = []
        found["linux"].setdefault("sysctl", {})
    assert ours == docker


def test_mounts_come_after_what_they_lie_upon() -> None:
    points = tuple(
        MountPoint(type="volume", source="/v", destination=destination) for destination in ("/a/b/c", "/etc", "/a")
    )
    order = [mount["destination"] for mount in spec(mounts=points)["mounts"]]
    assert order.index("/a") < order.index("/a/b/c")
    assert order.index("/etc") < order.index("/etc/hosts")
    assert order[:2] == ["/proc", "/dev"]


def test_a_mount_of_the_users_replaces_the_usual_one() -> None:
    found = spec(mounts=(MountPoint(type="bind", source="/h", destination="/etc/hosts", propagation="rprivate"),))
    assert by_destination(found)["/etc/hosts"]["source"] == "/h"
    found = spec(mounts=(MountPoint(type="bind", source="/dev", destination="/dev"),))
    assert [m["destination"] for m in found["mounts"] if m["destination"].startswith("/dev")] == ["/dev"]


def test_init_is_asked_for_by_an_annotation() -> None:
    assert spec(host={"Init": True})["annotations"] == {"sampan.init": "true"}
    assert "annotations" not in spec()


def test_the_filter_goes_by_the_capabilities_that_the_process_gets() -> None:
    assert "seccomp" not in spec()["linux"]
    facts = dataclasses.replace(FACTS, has_seccomp=True)

    def names(**host: Any) -> set[str]:
        found = build_spec(record(host=host), facts, "/c")["linux"].get("seccomp")
        return {name for rule in found["syscalls"] for name in rule["names"]} if found else set()

    assert "chroot" in names() and "reboot" not in names()
    assert "chroot" not in names(CapDrop=["SYS_CHROOT"])
    assert "reboot" in names(CapAdd=["SYS_BOOT"])
    assert not names(Privileged=True) and not names(SecurityOpt=["seccomp=unconfined"])


def test_paths_are_open_when_the_client_says_so() -> None:
    assert "/proc/kcore" in spec()["linux"]["maskedPaths"]
    found = spec(host={"MaskedPaths": [], "ReadonlyPaths": ["/proc/x"]})["linux"]
    assert (found["maskedPaths"], found["readonlyPaths"]) == ([], ["/proc/x"])


def test_cgroups_are_writable_when_asked_for() -> None:
    def is_writable(**host: Any) -> bool:
        return "ro" not in by_destination(spec(host=host))["/sys/fs/cgroup"]["options"]

    assert not is_writable()
    assert is_writable(Privileged=True)
    assert is_writable(SecurityOpt=["writable-cgroups"])
    assert not is_writable(Privileged=True, SecurityOpt=["writable-cgroups=false"])


def test_the_cgroup_stays_below_the_root() -> None:
    assert spec(host={"CgroupParent": "/../../etc"})["linux"]["cgroupsPath"] == "/etc/" + "c" * 64
    assert spec(host={"CgroupParent": "a"})["linux"]["cgroupsPath"] == "/a/" + "c" * 64


def test_propagation_to_the_host_needs_a_shared_root() -> None:
    point = MountPoint(type="bind", source="/h", destination="/m", propagation="rshared")
    assert spec(mounts=(point,))["linux"]["rootfsPropagation"] == "shared"
    assert "rootfsPropagation" not in spec()["linux"]


def test_paths_are_hidden_as_the_client_says() -> None:
    assert spec(host={"MaskedPaths": ["/x"], "ReadonlyPaths": []})["linux"]["maskedPaths"] == ["/x"]
    assert spec(host={"MaskedPaths": [], "ReadonlyPaths": []})["linux"]["readonlyPaths"] == []
    assert spec(host={"Privileged": True})["linux"]["maskedPaths"] == []


@pytest.mark.parametrize("mode", ["NetworkMode", "PidMode", "IpcMode"])
def test_namespaces_of_other_containers_are_refused(mode: str) -> None:
    with pytest.raises(Unimplemented, match="container:x"):
        spec(host={mode: "container:x"})


def test_both_versions_give_a_cgroup_namespace_unless_the_hosts_is_asked_for() -> None:
    facts = HostFacts(hostname="vm", cgroup_version=2)
    assert {"type": "cgroup"} in build_spec(record(), facts, "/c")["linux"]["namespaces"]
    assert {"type": "cgroup"} in spec()["linux"]["namespaces"]
    assert {"type": "cgroup"} not in spec(host={"CgroupnsMode": "host"})["linux"]["namespaces"]


REMAPPED = dataclasses.replace(FACTS, id_mapping=IdMapping.of_ranges([(100000, 65536)], [(200000, 65536)]))


def test_a_remapped_container_has_a_user_namespace_with_mappings() -> None:
    linux = build_spec(record(), REMAPPED, "/c")["linux"]
    assert {"type": "user"} in linux["namespaces"]
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": 100000, "size": 65536}]
    assert linux["gidMappings"] == [{"containerID": 0, "hostID": 200000, "size": 65536}]


def test_the_ping_groups_of_a_remapped_container_are_those_that_are_mapped() -> None:
    assert build_spec(record(), REMAPPED, "/c")["linux"]["sysctl"] == {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 65535",
    }


def test_a_remapped_container_has_its_domain_name_from_the_runtime() -> None:
    found = build_spec(record(config={"Domainname": "example.org"}), REMAPPED, "/c")
    assert found["domainname"] == "example.org" and "kernel.domainname" not in found["linux"]["sysctl"]
    found = build_spec(record(config={"Domainname": "example.org"}), FACTS, "/c")
    assert "domainname" not in found and found["linux"]["sysctl"]["kernel.domainname"] == "example.org"


def test_in_the_hosts_user_namespace_a_config_is_what_it_is_without_remapping() -> None:
    asked = record(host={"UsernsMode": "host"})
    assert build_spec(asked, REMAPPED, "/c") == build_spec(asked, FACTS, "/c")
