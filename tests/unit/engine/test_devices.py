"""Devices are found, mapped and allowed; what is none is refused in Docker's words."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sampan.api.wire.host import HostConfig
from sampan.engine.devices import DeviceNode, default_rules, devices, find_devices, parse_rule, throttles
from sampan.errors import InvalidArgument

DISK = DeviceNode("/dev/disk", "b", 8, 0, 0o660, 0, 6)


def host(**options: Any) -> HostConfig:
    return msgspec.convert(options, HostConfig)


def mapping(source: str, target: str = "", access: str = "rwm") -> dict[str, str]:
    return {"PathOnHost": source, "PathInContainer": target, "CgroupPermissions": access}


def test_a_device_is_found_with_its_numbers() -> None:
    [node] = find_devices("/dev/null")
    assert (node.path, node.type, node.major, node.minor, node.mode) == ("/dev/null", "c", 1, 3, 0o666)


def test_all_devices_are_found_but_those_of_a_containers_own() -> None:
    paths = [node.path for node in find_devices("/dev")]
    assert "/dev/null" in paths
    assert not [path for path in paths if path.startswith(("/dev/pts/", "/dev/shm/")) or path == "/dev/console"]


def test_without_wishes_there_are_the_usual_rules_and_no_nodes() -> None:
    nodes, rules = devices(host(), find_devices)
    assert nodes == []
    assert rules == default_rules()
    assert rules[0] == {"allow": False, "access": "rwm"}


def test_a_mapped_device_has_its_name_in_the_container_and_a_rule() -> None:
    nodes, rules = devices(host(Devices=[mapping("/dev/null", "/dev/xx", "rw")]), find_devices)
    assert [node["path"] for node in nodes] == ["/dev/xx"]
    assert rules[-1] == {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}


def test_a_directory_stands_for_the_devices_in_it() -> None:
    found = [DeviceNode("/dev/bus/1", "c", 189, 1, 0o600, 0, 0), DeviceNode("/dev/bus/2", "c", 189, 2, 0o600, 0, 0)]
    nodes, _ = devices(host(Devices=[mapping("/dev/bus", "/dev/usb")]), lambda path: found)
    assert [node["path"] for node in nodes] == ["/dev/usb/1", "/dev/usb/2"]


def test_a_privileged_container_has_all_devices_and_may_use_them() -> None:
    nodes, rules = devices(host(Privileged=True), lambda path: [DISK])
    assert nodes == [{"path": "/dev/disk", "type": "b", "major": 8, "minor": 0, "fileMode": 0o660, "uid": 0, "gid": 6}]
    assert rules == [{"allow": True, "access": "rwm"}]


def test_what_is_no_device_is_refused(tmp_path: Path) -> None:
    message = 'error gathering device information while adding custom device "/dev/nope": no such file or directory'
    with pytest.raises(InvalidArgument) as missing:
        devices(host(Devices=[mapping("/dev/nope")]), find_devices)
    assert str(missing.value) == message
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InvalidArgument, match="not a device node"):
        devices(host(Devices=[mapping(str(file))]), find_devices)
    with pytest.raises(InvalidArgument, match="invalid device mode: x"):
        devices(host(Devices=[mapping("/dev/null", access="x")]), find_devices)


def test_rules_are_parsed() -> None:
    assert parse_rule("c 42:* rmw") == {"allow": True, "type": "c", "major": 42, "access": "rmw"}
    assert parse_rule("a *:* r") == {"allow": True, "type": "a", "access": "r"}
    with pytest.raises(InvalidArgument, match="invalid device cgroup rule format: 'c 42 rwm'"):
        parse_rule("c 42 rwm")


def test_device_requests_are_refused_as_without_a_driver() -> None:
    with pytest.raises(InvalidArgument) as caught:
        devices(host(DeviceRequests=[{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]), find_devices)
    assert str(caught.value) == 'could not select device driver "" with capabilities: [[gpu]]'


def test_throttles_name_devices_by_number() -> None:
    options = {
        "BlkioWeight": 300,
        "BlkioDeviceReadBps": [{"Path": "/dev/disk", "Rate": 1000}],
        "BlkioWeightDevice": [{"Path": "/dev/disk", "Weight": 200}],
    }
    assert throttles(host(**options), lambda path: [DISK]) == {
        "weight": 300,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 200}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1000}],
    }
    assert throttles(host(), find_devices) == {}
    with pytest.raises(InvalidArgument, match="/dev/null is not a device node"):
        throttles(host(BlkioDeviceReadBps=[{"Path": os.devnull, "Rate": 1}]), lambda path: [])
