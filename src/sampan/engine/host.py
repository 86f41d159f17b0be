"""Facts about this machine that a container's configuration depends on, probed once when the daemon starts.

Errors      InvalidArgument: the daemon's own seccomp profile cannot be read.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from sampan.engine.devices import DeviceNode, find_devices
from sampan.engine.idmapping import IdMapping
from sampan.errors import InvalidArgument
from sampan.linux import capabilities
from sampan.oci.seccomp.abis import NATIVE
from sampan.runtime.cgroup.detect import hierarchies
from sampan.runtime.labels import is_apparmor_enabled

BUILTIN = "builtin"
UNCONFINED = "unconfined"
_CPUS = "/sys/devices/system/cpu"
_SECCOMP_ACTIONS = "/proc/sys/kernel/seccomp/actions_avail"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What `engine.spec` knows of the host.

    capabilities            those this daemon may give away (its bounding set)
    recursive_read_only     mount_setattr(2) with AT_RECURSIVE works (Linux 5.12)
    extra_masked_paths      machine-specific paths to hide in addition to the usual ones
    cgroup_parent           where cgroups of containers go when the container does not say
    find_devices            host path to the device nodes at or below it
    machine, kernel         as uname(2) tells: "x86_64", (6, 1)
    has_apparmor            AppArmor confines processes here
    has_seccomp             the kernel filters system calls, and their numbers are known for this machine
    seccomp_profile         for containers that name none: "builtin", "unconfined" or a path
    no_new_privileges       for containers that do not say
    seccomp_text            what that path has
    id_mapping              what containers' ids are here (--userns-remap); None: what they are inside
    """

    hostname: str
    cgroup_version: int = 1
    capabilities: frozenset[str] = frozenset(capabilities.NAMES)
    recursive_read_only: bool = True
    extra_masked_paths: tuple[str, ...] = ()
    cgroup_parent: str = "/sampan"
    resolv_conf_path: str = "/etc/resolv.conf"
    find_devices: Callable[[str], list[DeviceNode]] = field(default=find_devices)
    machine: str = "x86_64"
    kernel: tuple[int, int] = (5, 10)
    has_apparmor: bool = False
    has_seccomp: bool = False
    seccomp_profile: str = BUILTIN
    seccomp_text: str = ""
    id_mapping: IdMapping | None = None
    no_new_privileges: bool = False

    @property
    def cgroupns_mode(self) -> str:
        """The default: private on both versions, where Docker takes the host's on version 1 (docs/adr/0007)."""
        return "private"


def probe(*, cgroup_parent: str = "/sampan", seccomp_profile: str = "", no_new_privileges: bool = False) -> HostFacts:
    """The facts about the machine this runs on, and the daemon's settings about it."""
    bounding = capabilities.status_mask("CapBnd")
    name = os.uname()
    kernel = kernel_release()
    profile = seccomp_profile or BUILTIN
    return HostFacts(
        hostname=name.nodename,
        cgroup_version=2 if hierarchies().is_v2 else 1,
        capabilities=frozenset(cap for cap, number in capabilities.NUMBERS.items() if bounding >> number & 1),
        recursive_read_only=kernel >= (5, 12),
        extra_masked_paths=_thermal_paths(),
        cgroup_parent=cgroup_parent,
        machine=name.machine,
        kernel=kernel,
        has_apparmor=is_apparmor_enabled(),
        has_seccomp=os.path.exists(_SECCOMP_ACTIONS) and name.machine in NATIVE,
        seccomp_profile=profile,
        no_new_privileges=no_new_privileges,
        seccomp_text="" if profile in (BUILTIN, UNCONFINED) else _profile_text(profile),
    )


def _profile_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        reason = f"open {path}: {(error.strerror or str(error)).lower()}"
        raise InvalidArgument(f"opening seccomp profile ({path}) failed: {reason}") from error


def kernel_release() -> tuple[int, int]:
    """The first two numbers of the running kernel's release."""
    return _release(os.uname().release)


def _release(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int("".join(char for char in minor if char.isdigit()) or 0)


def _thermal_paths() -> tuple[str, ...]:
    """Throttle counters tell of the neighbours' load (moby GHSA-6fw5-f8r9-fgfm)."""
    paths = (f"{_CPUS}/cpu{n}/thermal_throttle" for n in range(os.cpu_count() or 1))
    return tuple(path for path in paths if os.path.exists(path))
