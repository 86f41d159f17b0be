"""A container's OCI runtime config: one function of its record and the facts about the host.

Nothing is looked up but by `HostFacts.find_devices`, and that only when the container asks for devices. The process's
user is left to the runtime, which reads the container's own files; the network namespace comes from the launcher.
Annotations "sampan.init": "true" asks the runtime for a reaper as the container's first process (--init).
Errors      InvalidArgument (devices, tmpfs options); Internal (security options, seccomp profile); Unimplemented
            (namespaces of other containers).
Spec        runtime-spec 1.2. Docker 28.5's own configs are the tests' golden files.
"""

import posixpath
from typing import TYPE_CHECKING, Any

from sampan.api.wire.host import HostConfig
from sampan.engine.devices import devices
from sampan.engine.host import HostFacts, probe
from sampan.engine.idmapping import mapping_of
from sampan.engine.process import container_process
from sampan.engine.resources import resources
from sampan.engine.seccomp import seccomp_of
from sampan.engine.specmounts import mounts
from sampan.errors import Unimplemented

if TYPE_CHECKING:
    from sampan.engine.containers.record import ContainerRecord

__all__ = ["DEFAULT_MASKED_PATHS", "DEFAULT_READONLY_PATHS", "HostFacts", "build_spec", "probe"]

Json = dict[str, Any]

OCI_VERSION = "1.2.1"
INIT_ANNOTATION = "sampan.init"
DEFAULT_MASKED_PATHS = (
    "/proc/asound /proc/acpi /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list"
    " /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap"
).split()
DEFAULT_READONLY_PATHS = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()

# What a network namespace of its own makes safe: ports below 1024 and ICMP sockets without privileges.
_NETWORK_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


def build_spec(record: "ContainerRecord", facts: HostFacts, folder: str) -> Json:
    """The config of `record`; `folder` is the container's own on the host."""
    _refuse_foreign_namespaces(record.host)
    spec: Json = {
        "ociVersion": OCI_VERSION,
        "process": container_process(record, facts),
        "root": {"path": "rootfs", "readonly": record.host.readonly_rootfs},
        "mounts": mounts(record, facts, folder),
        "linux": _linux(record, facts),
    }
    if not _shares_uts(record.host):
        spec["hostname"] = record.config.hostname
        if record.config.domainname and mapping_of(record.host, facts):
            spec["domainname"] = record.config.domainname
    annotations = dict(record.host.annotations)
    if record.host.init:
        annotations[INIT_ANNOTATION] = "true"
    if annotations:
        spec["annotations"] = annotations
    seccomp = seccomp_of(record.host, spec["process"]["capabilities"]["bounding"], facts)
    if seccomp is not None:
        spec["linux"]["seccomp"] = seccomp
    return spec


def _refuse_foreign_namespaces(host: HostConfig) -> None:
    modes = {"network": host.network_mode, "pid": host.pid_mode, "ipc": host.ipc_mode}
    for kind, mode in modes.items():
        if mode.startswith("container:"):
            raise Unimplemented(f"sharing the {kind} namespace of another container ({mode}) is not supported yet")


def _linux(record: "ContainerRecord", facts: HostFacts) -> Json:
    host = record.host
    nodes, rules = devices(host, facts.find_devices)
    found: Json = {
        "sysctl": _sysctls(record, facts),
        "resources": resources(host, rules, facts.find_devices),
        "cgroupsPath": _cgroups_path(record, facts),
        "namespaces": [{"type": kind} for kind in _namespaces(host, facts)],
    }
    if nodes:
        found["devices"] = nodes
    if mapping := mapping_of(host, facts):
        found |= mapping.to_oci()
    if _root_propagation(record):
        found["rootfsPropagation"] = _root_propagation(record)
    masked, read_only = host.masked_paths, host.readonly_paths
    if masked is None:
        masked = [*DEFAULT_MASKED_PATHS, *facts.extra_masked_paths]
    if read_only is None:
        read_only = list(DEFAULT_READONLY_PATHS)
    if host.privileged:
        masked, read_only = [], []
    return found | {"maskedPaths": masked, "readonlyPaths": read_only}


def _namespaces(host: HostConfig, facts: HostFacts) -> list[str]:
    """The kinds of namespace that the container has for itself."""
    own = {
        "user": mapping_of(host, facts) is not None,
        "mount": True,
        "network": host.network_mode != "host",
        "uts": not _shares_uts(host),
        "pid": host.pid_mode != "host",
        "ipc": host.ipc_mode != "host",
        "cgroup": (host.cgroupns_mode or ("host" if host.privileged else facts.cgroupns_mode)) == "private",
    }
    return [kind for kind, is_own in own.items() if is_own]


def _shares_uts(host: HostConfig) -> bool:
    return host.uts_mode == "host"


def _sysctls(record: "ContainerRecord", facts: HostFacts) -> dict[str, str]:
    host, mapping = record.host, mapping_of(record.host, facts)
    found = {} if host.network_mode == "host" else dict(_NETWORK_SYSCTLS)
    if mapping:
        # Only groups that are mapped are valid; and as a sysctl the domain name is for the host's root alone.
        if found:
            found["net.ipv4.ping_group_range"] = f"0 {mapping.gids[0].count - 1}"
    elif record.config.domainname and not _shares_uts(host):
        found["kernel.domainname"] = record.config.domainname
    return found | host.sysctls


def _cgroups_path(record: "ContainerRecord", facts: HostFacts) -> str:
    parent = posixpath.normpath("/" + (record.host.cgroup_parent or facts.cgroup_parent))
    return f"/{parent.strip('/')}/{record.id}".replace("//", "/")


def _root_propagation(record: "ContainerRecord") -> str:
    """Mounts that travel between host and container need a root that lets them (mount_namespaces(7))."""
    modes = {mount.propagation for mount in record.mounts}
    if modes & {"shared", "rshared"}:
        return "shared"
    return "rslave" if modes & {"slave", "rslave"} else ""
