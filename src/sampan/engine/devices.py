"""Device nodes and device rules of a container.

Errors      InvalidArgument in Docker's words, for paths that are no devices and rules that cannot be read.
Spec        runtime-spec 1.2, config-linux.md "Devices", "Allowed Device list"; moby daemon/pkg/oci/devices_linux.go.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sampan.api.wire.host import DeviceMapping, DeviceRequest, HostConfig
from sampan.errors import InvalidArgument

Json = dict[str, Any]

# Every container may use these. Nodes may be made (m) of any number: using them is what the rules decide.
_ALLOWED = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    ("c", 1, 3, "rwm"),  # null
    ("c", 1, 5, "rwm"),  # zero
    ("c", 1, 7, "rwm"),  # full
    ("c", 1, 8, "rwm"),  # random
    ("c", 1, 9, "rwm"),  # urandom
    ("c", 5, 0, "rwm"),  # tty
    ("c", 5, 1, "rwm"),  # console
    ("c", 5, 2, "rwm"),  # ptmx
    ("c", 136, None, "rwm"),  # pts
)
_RULE = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")
_ACCESS = re.compile(r"[rwm]{1,3}")
# Not to be copied from the host: file systems of the container's own, and other tools' directories.
_SKIPPED = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"})


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A device of the host. `type` is "b" or "c"; `mode` are the permission bits."""

    path: str
    type: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int

    def to_json(self, path: str) -> Json:
        """As the OCI config has it, under the name it gets in the container."""
        found: Json = {"path": path, "type": self.type, "major": self.major, "minor": self.minor}
        return found | {"fileMode": self.mode, "uid": self.uid, "gid": self.gid}

    def rule(self, access: str) -> Json:
        return _rule(self.type, self.major, self.minor, access)


def find_devices(path: str) -> list[DeviceNode]:
    """The node at `path`, or all below it when it is a directory, sorted by path. Raises OSError."""
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        return _below(path)
    node = _node(path, found)
    return [node] if node else []


def _below(folder: str) -> list[DeviceNode]:
    nodes: list[DeviceNode] = []
    for name in sorted(os.listdir(folder)):
        path = f"{folder.rstrip('/')}/{name}"
        try:
            found = os.lstat(path)
            if stat.S_ISDIR(found.st_mode):
                nodes += [] if name in _SKIPPED else _below(path)
            elif path != "/dev/console" and (node := _node(path, found)):
                nodes.append(node)
        except FileNotFoundError:
            # Nodes come and go while we look.
            continue
    return nodes


def _node(path: str, found: os.stat_result) -> DeviceNode | None:
    kind = "c" if stat.S_ISCHR(found.st_mode) else "b" if stat.S_ISBLK(found.st_mode) else ""
    if not kind:
        return None
    major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
    return DeviceNode(path, kind, major, minor, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def devices(host: HostConfig, find: Callable[[str], list[DeviceNode]]) -> tuple[list[Json], list[Json]]:
    """(nodes to make, rules of the device cgroup in the order in which they apply)."""
    _check_requests(host.device_requests or [])
    nodes = {node.path: node.to_json(node.path) for node in find("/dev")} if host.privileged else {}
    rules = [_rule(None, None, None, "rwm")] if host.privileged else default_rules()
    for mapping in host.devices or []:
        for path, node in _mapped(mapping, find):
            nodes[path] = node.to_json(path)
            if not host.privileged:
                rules.append(node.rule(mapping.cgroup_permissions or "rwm"))
    if not host.privileged:
        rules += [parse_rule(text) for text in host.device_cgroup_rules or []]
    return list(nodes.values()), rules


def default_rules() -> list[Json]:
    """Nothing but what every container needs."""
    return [{"allow": False, "access": "rwm"}, *(_rule(*allowed) for allowed in _ALLOWED)]


def _rule(kind: str | None, major: int | None, minor: int | None, access: str) -> Json:
    found: Json = {"allow": True}
    if kind:
        found["type"] = kind
    found |= {key: number for key, number in (("major", major), ("minor", minor)) if number is not None}
    return found | {"access": access}


def parse_rule(text: str) -> Json:
    """One of --device-cgroup-rule: "c 42:* rwm"."""
    match = _RULE.fullmatch(text)
    if match is None:
        raise InvalidArgument(f"invalid device cgroup rule format: '{text}'")
    kind, major, minor, access = match.groups()
    return _rule(kind, _device_number(major), _device_number(minor), access)


def _device_number(text: str) -> int | None:
    return None if text == "*" else int(text)


def _mapped(mapping: DeviceMapping, find: Callable[[str], list[DeviceNode]]) -> list[tuple[str, DeviceNode]]:
    """The nodes that one --device stands for, with their paths in the container."""
    source = mapping.path_on_host
    target = mapping.path_in_container or source
    trouble = f'error gathering device information while adding custom device "{source}": '
    if mapping.cgroup_permissions and not _ACCESS.fullmatch(mapping.cgroup_permissions):
        raise InvalidArgument(f"invalid device mode: {mapping.cgroup_permissions}")
    try:
        nodes = find(os.path.realpath(source))
    except OSError as error:
        raise InvalidArgument(trouble + (error.strerror or str(error)).lower()) from error
    if not nodes:
        raise InvalidArgument(trouble + "not a device node")
    base = os.path.realpath(source)
    return [(target + node.path.removeprefix(base), node) for node in nodes]


def _check_requests(requests: list[DeviceRequest]) -> None:
    for request in requests:
        wanted = " ".join("[" + " ".join(words) + "]" for words in request.capabilities or [])
        raise InvalidArgument(f'could not select device driver "{request.driver}" with capabilities: [{wanted}]')


def throttles(host: HostConfig, find: Callable[[str], list[DeviceNode]]) -> Json:
    """The block I/O part of the resources: weights and limits, by device number."""
    found: Json = {"weight": host.blkio_weight} if host.blkio_weight else {}
    limits = {
        "throttleReadBpsDevice": host.blkio_device_read_bps,
        "throttleWriteBpsDevice": host.blkio_device_write_bps,
        "throttleReadIOPSDevice": host.blkio_device_read_iops,
        "throttleWriteIOPSDevice": host.blkio_device_write_iops,
    }
    if host.blkio_weight_device:
        found["weightDevice"] = [_number(d.path, find) | {"weight": d.weight} for d in host.blkio_weight_device]
    for key, devices in limits.items():
        if devices:
            found[key] = [_number(device.path, find) | {"rate": device.rate} for device in devices]
    return found


def _number(path: str, find: Callable[[str], list[DeviceNode]]) -> Json:
    try:
        nodes = find(path)
    except OSError as error:
        raise InvalidArgument(f"stat {path}: {(error.strerror or str(error)).lower()}") from error
    if not nodes:
        raise InvalidArgument(f"{path} is not a device node")
    return {"major": nodes[0].major, "minor": nodes[0].minor}
