"""Facts about this machine that a container's configuration depends on, probed once when the daemon starts."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from sampan.engine.devices import DeviceNode, find_devices
from sampan.linux import capabilities
from sampan.runtime.cgroup.detect import hierarchies

_CPUS = "/sys/devices/system/cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What `engine.spec` knows of the host.

    capabilities            those this daemon may give away (its bounding set)
    recursive_read_only     mount_setattr(2) with AT_RECURSIVE works (Linux 5.12)
    extra_masked_paths      machine-specific paths to hide in addition to the usual ones
    cgroup_parent           where cgroups of containers go when the container does not say
    find_devices            host path to the device nodes at or below it
    """

    hostname: str
    cgroup_version: int = 1
    capabilities: frozenset[str] = frozenset(capabilities.NAMES)
    recursive_read_only: bool = True
    extra_masked_paths: tuple[str, ...] = ()
    cgroup_parent: str = "/sampan"
    resolv_conf_path: str = "/etc/resolv.conf"
    find_devices: Callable[[str], list[DeviceNode]] = field(default=find_devices)

    @property
    def cgroupns_mode(self) -> str:
        """The default: private on both versions, where Docker takes the host's on version 1 (docs/adr/0007)."""
        return "private"


def probe(*, cgroup_parent: str = "/sampan") -> HostFacts:
    """The facts about the machine this runs on."""
    bounding = capabilities.status_mask("CapBnd")
    name = os.uname()
    return HostFacts(
        hostname=name.nodename,
        cgroup_version=2 if hierarchies().is_v2 else 1,
        capabilities=frozenset(cap for cap, number in capabilities.NUMBERS.items() if bounding >> number & 1),
        recursive_read_only=_release(name.release) >= (5, 12),
        extra_masked_paths=_thermal_paths(),
        cgroup_parent=cgroup_parent,
    )


def _release(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int("".join(char for char in minor if char.isdigit()) or 0)


def _thermal_paths() -> tuple[str, ...]:
    """Throttle counters tell of the neighbours' load (moby GHSA-6fw5-f8r9-fgfm)."""
    paths = (f"{_CPUS}/cpu{n}/thermal_throttle" for n in range(os.cpu_count() or 1))
    return tuple(path for path in paths if os.path.exists(path))
