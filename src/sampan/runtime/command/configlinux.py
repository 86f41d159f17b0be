"""The `linux` object of a config.json, and what depends on the namespaces it lists (see `config`).

Errors      InvalidArgument.
Spec        runtime-spec 1.2, config-linux.md; for sysctl: namespaces(7), ipc_namespaces(7).
"""

import os

from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMESPACES = ("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")
PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable")
DEVICE_TYPES = ("c", "u", "b", "p")
_IPC_SYSCTLS = (
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni"
    " kernel.shm_rmid_forced"
).split()
_ID_LIMIT = 1 << 32
_MAPPINGS_LIMIT = 340  # user_namespaces(7)
_DEVICE_NAME_LIMIT = 16  # IFNAMSIZ


def check(spec: "dict[str, Any]", *, rootless: bool) -> None:
    """InvalidArgument when namespaces, mappings, sysctls, devices and so on do not go together."""
    linux = spec.get("linux") or {}
    namespaces = _check_namespaces(linux.get("namespaces") or [])
    for name in ("hostname", "domainname"):
        if spec.get(name) and "uts" not in namespaces:
            raise InvalidArgument(f"unable to set {name} without a private UTS namespace")
    _check_mappings(linux, namespaces)
    _check_time(linux, namespaces)
    if (linux.get("maskedPaths") or linux.get("readonlyPaths")) and "mount" not in namespaces:
        raise InvalidArgument("unable to restrict sys entries without a private MNT namespace")
    for name in linux.get("sysctl") or {}:
        _check_sysctl(name, spec, namespaces)
    _check_net_devices(linux.get("netDevices") or {}, namespaces, rootless=rootless)
    propagation = linux.get("rootfsPropagation")
    if propagation and propagation not in PROPAGATIONS:
        raise InvalidArgument(f"rootfsPropagation={propagation} is not supported")
    for device in linux.get("devices") or ():
        _check_device(device)
    for rule in (linux.get("resources") or {}).get("devices") or ():
        if (rule.get("type") or "a") not in ("a", "b", "c"):
            raise InvalidArgument(f"invalid cgroup device type {rule['type']!r}")
    _check_closid((linux.get("intelRdt") or {}).get("closID"))
    domain = (linux.get("personality") or {}).get("domain")
    if domain is not None and domain not in ("LINUX", "LINUX32"):
        raise InvalidArgument(f"invalid personality domain {domain}")


def _check_namespaces(entries: "list[dict[str, Any]]") -> "dict[str, str]":
    """By type: the path to join, or "" for a new one."""
    found: dict[str, str] = {}
    for entry in entries:
        kind, path = entry.get("type"), entry.get("path") or ""
        if kind not in NAMESPACES:
            raise InvalidArgument(f"namespace {kind!r} does not exist")
        if kind in found:
            raise InvalidArgument(f"malformed spec file: duplicated ns {kind!r}")
        if path and not path.startswith("/"):
            raise InvalidArgument(f"namespace path {path} of {kind} is not absolute")
        if path and not os.path.exists(path):
            raise InvalidArgument(f"namespace path {path} of {kind} does not exist")
        found[kind] = path
    return found


def _check_mappings(linux: "dict[str, Any]", namespaces: "dict[str, str]") -> None:
    mappings = {name: linux.get(name) or () for name in ("uidMappings", "gidMappings")}
    has_mappings = bool(mappings["uidMappings"] or mappings["gidMappings"])
    if "user" not in namespaces:
        if has_mappings:
            raise InvalidArgument("user namespace mappings specified, but user namespace isn't enabled in the config")
        return
    for name, entries in mappings.items():
        if len(entries) > _MAPPINGS_LIMIT:
            raise InvalidArgument(f"{name}: the kernel takes no more than {_MAPPINGS_LIMIT}")
        for entry in entries:
            _check_mapping(name, entry)


def _check_mapping(name: str, entry: "dict[str, Any]") -> None:
    inside, outside, size = entry.get("containerID", 0), entry.get("hostID", 0), entry.get("size", 0)
    if size <= 0 or inside < 0 or outside < 0 or max(inside, outside) + size > _ID_LIMIT:
        raise InvalidArgument(f"invalid {name}: containerID {inside}, hostID {outside}, size {size}")


def _check_time(linux: "dict[str, Any]", namespaces: "dict[str, str]") -> None:
    offsets = linux.get("timeOffsets")
    if not offsets:
        return
    if "time" not in namespaces:
        raise InvalidArgument("time namespace offsets specified, but time namespace isn't enabled in the config")
    if namespaces["time"]:
        raise InvalidArgument(
            "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one"
        )
    for clock in offsets:
        if clock not in ("monotonic", "boottime"):
            raise InvalidArgument(f"invalid timeOffsets: there is no clock {clock!r}")


def dotted(name: str) -> str:
    """A sysctl's name with dots between its parts: net.ipv4.conf.eno2/1.x for net/ipv4/conf/eno2.1/x (sysctl(8))."""
    first = next((character for character in name if character in "./"), ".")
    return name if first == "." else name.translate({ord("."): "/", ord("/"): "."})


def _check_sysctl(given: str, spec: "dict[str, Any]", namespaces: "dict[str, str]") -> None:
    name = dotted(given.lstrip("/"))
    if name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
        _want_namespace("ipc", given, namespaces)
    elif name.startswith("net."):
        _want_namespace("network", given, namespaces)
    elif name.startswith("user."):
        _want_namespace("user", given, namespaces)
    elif name == "kernel.domainname":
        _want_namespace("uts", given, namespaces)
        if spec.get("domainname") and spec["domainname"] != spec["linux"]["sysctl"][given]:
            raise InvalidArgument(f"the sysctl {given!r} conflicts with the OCI field domainname")
    elif name == "kernel.hostname":
        raise InvalidArgument(f"sysctl {given!r} is not allowed as it conflicts with the OCI hostname field")
    else:
        raise InvalidArgument(f"sysctl {given!r} is not in a separate kernel namespace")


def _want_namespace(kind: str, given: str, namespaces: "dict[str, str]") -> None:
    if kind in namespaces and not _is_own(kind, namespaces[kind]):
        return
    raise InvalidArgument(f"sysctl {given!r} is not allowed in the host's {kind} namespace: it requires a new one")


def _is_own(kind: str, path: str) -> bool:
    """Whether a namespace by path is the one that this process is in."""
    if not path:
        return False
    ours = "/proc/self/ns/" + {"network": "net"}.get(kind, kind)
    return os.path.samefile(path, ours)


def _check_net_devices(devices: "dict[str, Any]", namespaces: "dict[str, str]", *, rootless: bool) -> None:
    if not devices:
        return
    if "network" not in namespaces:
        raise InvalidArgument("unable to move network devices without a NET namespace")
    if rootless:
        raise InvalidArgument("network devices are not supported for rootless containers")
    for name, device in devices.items():
        for wanted in (name, (device or {}).get("name") or name):
            if not wanted or len(wanted) >= _DEVICE_NAME_LIMIT or wanted in (".", "..") or set(wanted) & set("/: "):
                raise InvalidArgument(f'invalid network device name "{wanted}"')


def _check_device(device: "dict[str, Any]") -> None:
    path, kind = device.get("path") or "", device.get("type")
    if not path.startswith("/"):
        raise InvalidArgument(f"invalid device: the path {path!r} is not absolute")
    if kind not in DEVICE_TYPES:
        raise InvalidArgument(f"invalid device type {kind!r} of {path}")


def _check_closid(closid: "str | None") -> None:
    if closid in (".", "..") or (closid and len(closid) > 1 and "/" in closid):
        raise InvalidArgument(f'invalid intelRdt.ClosID "{closid}"')
