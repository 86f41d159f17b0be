"""The mounts of a container; `test_spec` compares the whole list with Docker's."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.engine.containers.record import ContainerRecord, MountPoint
from sampan.engine.host import HostFacts
from sampan.engine.idmapping import IdMapping
from sampan.engine.specmounts import merge_tmpfs_options, mounts
from sampan.errors import InvalidArgument

FACTS = HostFacts(hostname="vm")


def options_of(destination: str, *points: MountPoint, facts: HostFacts = FACTS, **host: Any) -> list[str]:
    record = ContainerRecord(
        id="c",
        name="name",
        created_ns=1,
        image_id="sha256:0",
        path="sh",
        args=[],
        config=ContainerConfig(),
        host=msgspec.convert(host, HostConfig),
        networking=NetworkingConfig(),
        mounts=list(points),
    )
    found = {mount["destination"]: mount["options"] for mount in mounts(record, facts, "/c")}
    options: list[str] = found[destination]
    return options


def test_a_read_only_bind_covers_what_is_mounted_below_where_the_kernel_can() -> None:
    point = MountPoint(
        type="bind", source="/s", destination="/d", read_write=False, propagation="rprivate", read_only_recursive=True
    )
    assert options_of("/d", point) == ["rbind", "rro", "rprivate"]
    old = HostFacts(hostname="vm", recursive_read_only=False)
    assert options_of("/d", point, facts=old) == ["rbind", "ro", "rprivate"]


def test_a_bind_that_is_not_recursive_is_read_only_alone() -> None:
    point = MountPoint(type="bind", source="/s", destination="/d", read_write=False, recursive=False)
    assert options_of("/d", point) == ["bind", "ro"]


def test_a_new_volume_asks_to_be_filled() -> None:
    assert options_of("/v", MountPoint(type="volume", source="/s", destination="/v", copy_up=True)) == [
        "rbind",
        "x-sampan.copy-up",
    ]


def test_tmpfs_mounts_of_both_kinds_have_safe_defaults() -> None:
    point = MountPoint(type="tmpfs", destination="/t", options=["size=1m"], read_write=False)
    assert options_of("/t", point) == ["noexec", "nosuid", "nodev", "rprivate", "size=1m", "ro"]
    assert options_of("/t", Tmpfs={"/t": "exec,size=4m,size=5m"}) == ["nosuid", "nodev", "rprivate", "exec", "size=5m"]


def test_unknown_tmpfs_options_are_refused() -> None:
    for option in ("bogus", "size", "loop=x", "lowerdir=/etc"):
        with pytest.raises(InvalidArgument) as caught:
            merge_tmpfs_options([option])
        assert str(caught.value) == f'invalid tmpfs option "{option}"'


def test_a_read_only_root_leaves_the_containers_own_places_writable() -> None:
    assert "ro" not in options_of("/dev/shm", ReadonlyRootfs=True)
    assert options_of("/etc/hosts", ReadonlyRootfs=True) == ["rbind", "rro", "rprivate"]


def test_shared_memory_has_the_size_that_was_asked_for() -> None:
    assert "size=1048576" in options_of("/dev/shm", ShmSize=1048576)
    assert "size=67108864" in options_of("/dev/shm")


def test_what_is_the_containers_own_is_idmapped_and_what_is_the_hosts_is_not() -> None:
    points = [
        MountPoint(type="volume", source="/v", destination="/volume", name="v"),
        MountPoint(type="bind", source="/s", destination="/bind"),
        MountPoint(type="tmpfs", source="", destination="/tmpfs"),
    ]
    record = ContainerRecord(
        id="c",
        name="name",
        created_ns=1,
        image_id="sha256:0",
        path="sh",
        args=[],
        config=ContainerConfig(),
        host=HostConfig(),
        networking=NetworkingConfig(),
        mounts=points,
    )
    mapping = IdMapping.of_ranges([(100000, 65536)], [(200000, 65536)])
    found = mounts(record, replace(FACTS, id_mapping=mapping), "/c")
    mapped = {mount["destination"]: mount["uidMappings"] for mount in found if "uidMappings" in mount}
    assert set(mapped) == {"/volume", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}
    assert mapped["/volume"] == [{"containerID": 0, "hostID": 100000, "size": 65536}]
