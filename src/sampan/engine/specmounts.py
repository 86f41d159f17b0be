"""The mounts of a container, in the order in which they are made. Pure.

Order       the usual ones (/proc, /dev...) but where the user mounts something at the same place; then the user's and
            /etc/{resolv.conf,hostname,hosts}, parents before what is below them.
Remapped    What is ours is the container's own: those files and volumes are idmapped. What is the host's is not.
Errors      InvalidArgument for tmpfs options; Unimplemented for namespaces of other containers.
Spec        runtime-spec 1.2, config.md "Mounts"; moby daemon/oci_linux.go (withMounts).
"""

from typing import TYPE_CHECKING, Any

from sampan.api.wire.host import HostConfig
from sampan.engine import securityoptions
from sampan.engine.host import HostFacts
from sampan.engine.idmapping import mapping_of
from sampan.errors import InvalidArgument
from sampan.linux.mount import COPY_UP

if TYPE_CHECKING:
    from sampan.engine.containers.record import ContainerRecord, MountPoint

Json = dict[str, Any]

DEFAULT_SHM_BYTES = 64 * 1024 * 1024
HOST_FILES = ("resolv.conf", "hostname", "hosts")
# With a read-only root these stay writable: they are the container's own, and in memory.
_WRITABLE_IN_READ_ONLY = frozenset({"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"})
_TMPFS_DEFAULTS = ["noexec", "nosuid", "nodev", "rprivate"]
_TMPFS_FLAG_GROUPS = (
    ("rw", "ro"),
    ("suid", "nosuid"),
    ("dev", "nodev"),
    ("exec", "noexec"),
    ("async", "sync"),
    ("atime", "noatime", "relatime", "norelatime", "strictatime", "nostrictatime"),
    ("diratime", "nodiratime"),
    ("private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"),
    ("mand", "nomand"),
    ("defaults",),
)
_TMPFS_GROUP = {flag: group[0] for group in _TMPFS_FLAG_GROUPS for flag in group}
_TMPFS_KEYS = frozenset({"mode", "uid", "gid", "size", "nr_inodes", "nr_blocks", "mpol", "noswap"})


def mounts(record: "ContainerRecord", facts: HostFacts, folder: str) -> list[Json]:
    """All mounts; `folder` is the container's own on the host, with its /etc files."""
    host = record.host
    mapping = mapping_of(host, facts)
    own = mapping.to_oci() if mapping else {}
    asked = [_user_mount(mount, facts) | (own if mount.type == "volume" else {}) for mount in record.mounts]
    asked += [_tmpfs(path, options.split(",") if options else []) for path, options in host.tmpfs.items()]
    taken = {mount["destination"] for mount in asked}
    usual = [mount for mount in _usual(host) if not _is_replaced(mount["destination"], taken)]
    for mount in usual:
        if host.readonly_rootfs and not host.privileged and mount["destination"] not in _WRITABLE_IN_READ_ONLY:
            mount["options"] += [] if "ro" in mount["options"] else ["ro"]
    files = [_host_file(name, host, facts, folder) | own for name in HOST_FILES if f"/etc/{name}" not in taken]
    return usual + sorted(asked + files, key=lambda mount: mount["destination"].rstrip("/").count("/"))


def _is_replaced(destination: str, taken: set[str]) -> bool:
    return destination in taken or ("/dev" in taken and destination.startswith("/dev/"))


def _mount(destination: str, kind: str, source: str, options: str) -> Json:
    return {"destination": destination, "type": kind, "source": source, "options": options.split(",")}


def _usual(host: HostConfig) -> list[Json]:
    read_only = "" if host.privileged else ",ro"
    asked = securityoptions.parse(host.security_opt).writable_cgroups
    may_write_cgroups = host.privileged if asked is None else asked
    found = [
        _mount("/proc", "proc", "proc", "nosuid,noexec,nodev"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        _mount("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev" + read_only),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev" if may_write_cgroups else _CGROUP_RO),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
    ]
    return found + _shm(host)


_CGROUP_RO = "ro,nosuid,noexec,nodev"


def _shm(host: HostConfig) -> list[Json]:
    if host.ipc_mode == "none":
        return []
    if host.ipc_mode == "host":
        return [_mount("/dev/shm", "bind", "/dev/shm", "rbind,rprivate")]
    size = host.shm_size or DEFAULT_SHM_BYTES
    return [_mount("/dev/shm", "tmpfs", "shm", f"nosuid,noexec,nodev,mode=1777,size={size}")]


def _host_file(name: str, host: HostConfig, facts: HostFacts, folder: str) -> Json:
    options = ["rbind", *([_read_only_word(facts)] if host.readonly_rootfs else []), "rprivate"]
    return {"destination": f"/etc/{name}", "type": "bind", "source": f"{folder}/{name}", "options": options}


def _read_only_word(facts: HostFacts) -> str:
    return "rro" if facts.recursive_read_only else "ro"


def _user_mount(mount: "MountPoint", facts: HostFacts) -> Json:
    if mount.type == "tmpfs":
        return _tmpfs(mount.destination, mount.options + ([] if mount.read_write else ["ro"]))
    options = ["rbind" if mount.recursive else "bind"]
    if not mount.read_write:
        is_deep = mount.recursive and (mount.type != "bind" or mount.read_only_recursive)
        options.append(_read_only_word(facts) if is_deep else "ro")
    if mount.propagation:
        options.append(mount.propagation)
    if mount.copy_up:
        options.append(COPY_UP)
    options += mount.options
    return {"destination": mount.destination, "type": "bind", "source": mount.source, "options": options}


def _tmpfs(destination: str, options: list[str]) -> Json:
    return {
        "destination": destination,
        "type": "tmpfs",
        "source": "tmpfs",
        "options": merge_tmpfs_options(_TMPFS_DEFAULTS + options),
    }


def merge_tmpfs_options(options: list[str]) -> list[str]:
    """Of words that contradict each other, or settings of one key, the last stands; in the order of these."""
    found: dict[str, str] = {}
    for option in options:
        key, equals, _ = option.partition("=")
        slot = _TMPFS_GROUP.get(option) or (key if equals and key in _TMPFS_KEYS else None)
        if slot is None:
            raise InvalidArgument(f'invalid tmpfs option "{option}"')
        found.pop(slot, None)
        found[slot] = option
    return list(found.values())
