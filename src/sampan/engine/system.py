"""The engine about itself: version, info, events.

Spec        Engine API 1.51, GET /version, /info, /events; field by field as Docker 28.5 answers.
"""

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from sampan import __version__
from sampan.api.wire.system import (
    Commit,
    Component,
    IndexInfo,
    Info,
    PlatformName,
    Plugins,
    RegistryConfig,
    Runtime,
    Version,
)
from sampan.base.clock import rfc3339nano
from sampan.engine.eventlog import EventLog, EventStream
from sampan.engine.host import BUILTIN, HostFacts
from sampan.engine.runtimes import FEATURES_STATUS, OWN, Runtimes
from sampan.runtime.cgroup.detect import hierarchies

API_VERSION = "1.51"
MIN_API_VERSION = "1.24"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Containers by state, and images."""

    running: int = 0
    paused: int = 0
    stopped: int = 0
    images: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What the answers are made of. `id` is the daemon's own, kept in its data root."""

    id: str
    facts: HostFacts
    data_root: str
    events: EventLog
    counts: Callable[[], Counts]
    debug: bool = False
    labels: tuple[str, ...] = ()
    runtimes: Runtimes = field(default_factory=Runtimes)


def version(deps: System) -> Version:
    """GET /version."""
    host = os.uname()
    arch = _ARCHITECTURES.get(host.machine, host.machine)
    python = f"python{platform.python_version()}"
    engine = Component(
        name="Engine",
        version=__version__,
        details={
            "ApiVersion": API_VERSION,
            "Arch": arch,
            "BuildTime": "",
            "Experimental": "false",
            "GitCommit": "",
            "GoVersion": python,
            "KernelVersion": host.release,
            "MinAPIVersion": MIN_API_VERSION,
            "Os": "linux",
        },
    )
    return Version(
        platform=PlatformName(name="Sampan"),
        components=[engine],
        version=__version__,
        api_version=API_VERSION,
        min_api_version=MIN_API_VERSION,
        go_version=python,
        os="linux",
        arch=arch,
        kernel_version=host.release,
    )


def info(deps: System) -> Info:
    """GET /info. Reads a few small files of /proc; call it in a thread when that matters."""
    host, release, counts, limits = os.uname(), _os_release(), deps.counts(), _limits()
    found = Info(
        id=deps.id,
        containers=counts.running + counts.paused + counts.stopped,
        containers_running=counts.running,
        containers_paused=counts.paused,
        containers_stopped=counts.stopped,
        images=counts.images,
        driver="overlayfs",
        driver_status=[("Backing Filesystem", _filesystem_of(deps.data_root)), ("Supports d_type", "true")],
        plugins=Plugins(volume=["local"], network=["bridge", "host", "null"], log=["json-file", "none"]),
        ipv4_forwarding=_is_set("/proc/sys/net/ipv4/ip_forward"),
        debug=deps.debug,
        n_fd=len(os.listdir("/proc/self/fd")),
        system_time=rfc3339nano(time.time_ns()),
        logging_driver="json-file",
        cgroup_driver="cgroupfs",
        cgroup_version=str(deps.facts.cgroup_version),
        n_events_listener=deps.events.listeners,
        kernel_version=host.release,
        operating_system=release.get("PRETTY_NAME", "Linux"),
        os_version=release.get("VERSION_ID", ""),
        os_type="linux",
        architecture=host.machine,
        index_server_address="https://index.docker.io/v1/",
        registry_config=RegistryConfig(
            index_configs={"docker.io": IndexInfo(name="docker.io", official=True, secure=True)},
            insecure_registry_cidrs=["::1/128", "127.0.0.0/8"],
        ),
        ncpu=len(os.sched_getaffinity(0)),
        mem_total=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        docker_root_dir=deps.data_root,
        http_proxy=_proxy("HTTP_PROXY"),
        https_proxy=_proxy("HTTPS_PROXY"),
        no_proxy=_proxy("NO_PROXY"),
        name=host.nodename,
        labels=list(deps.labels),
        server_version=__version__,
        runtimes=_runtimes(deps.runtimes),
        default_runtime=deps.runtimes.default,
        live_restore_enabled=True,
        init_binary="sampan-init",
        containerd_commit=Commit(),
        runc_commit=Commit(),
        init_commit=Commit(),
        security_options=_security_options(deps.facts),
        warnings=_warnings(limits, deps.facts),
    )
    return msgspec.structs.replace(found, **limits)


def _runtimes(found: Runtimes) -> dict[str, Runtime]:
    own = {OWN: Runtime(path=OWN)}
    return own | {
        name: Runtime(
            path=runtime.path,
            runtime_args=list(runtime.args),
            status={FEATURES_STATUS: found.features[name]} if found.features.get(name) else {},
        )
        for name, runtime in sorted(found.configured.items())
    }


def events(
    deps: System, *, since_ns: int | None, until_ns: int | None, filters: Mapping[str, Iterable[str]]
) -> EventStream:
    """GET /events: subscribes at once; past events first when a bound is given."""
    return deps.events.events(since_ns=since_ns or 0, until_ns=until_ns or 0, filters=filters)


def _limits() -> dict[str, bool]:
    """Which limits the kernel can enforce here."""
    found = hierarchies()
    if found.is_v2:
        controllers = set(_first_line(f"{found.v2}/cgroup.controllers").split())
        has_swap = True
    else:
        controllers = set(found.v1)
        has_swap = os.path.exists(f"{found.v1.get('memory', '')}/memory.memsw.limit_in_bytes")
    return {
        "memory_limit": "memory" in controllers,
        "swap_limit": "memory" in controllers and has_swap,
        "cpu_cfs_period": "cpu" in controllers,
        "cpu_cfs_quota": "cpu" in controllers,
        "cpu_shares": "cpu" in controllers,
        "cpu_set": "cpuset" in controllers,
        "pids_limit": "pids" in controllers,
        "oom_kill_disable": not found.is_v2 and "memory" in controllers,
    }


_WARNINGS = {
    "memory_limit": "WARNING: No memory limit support",
    "swap_limit": "WARNING: No swap limit support",
    "cpu_cfs_period": "WARNING: No cpu cfs period support",
    "cpu_cfs_quota": "WARNING: No cpu cfs quota support",
    "cpu_shares": "WARNING: No cpu shares support",
    "cpu_set": "WARNING: No cpuset support",
    "pids_limit": "WARNING: No pids limit support",
}


def _warnings(limits: Mapping[str, bool], facts: HostFacts) -> list[str] | None:
    found = [text for name, text in _WARNINGS.items() if not limits[name]]
    if facts.has_seccomp and facts.seccomp_profile != BUILTIN:
        found.append("WARNING: daemon is not using the default seccomp profile")
    return found or None


def _security_options(facts: HostFacts) -> list[str]:
    """What holds containers in, in Docker's order."""
    found = {
        "name=apparmor": facts.has_apparmor,
        f"name=seccomp,profile={facts.seccomp_profile}": facts.has_seccomp,
        "name=userns": facts.id_mapping is not None,
        "name=cgroupns": facts.cgroupns_mode == "private",
        "name=no-new-privileges": facts.no_new_privileges,
    }
    return [name for name, is_on in found.items() if is_on]


def _os_release() -> dict[str, str]:
    """os-release(5) as a mapping."""
    for path in _OS_RELEASE:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                pairs = (line.strip().partition("=") for line in file if "=" in line and not line.startswith("#"))
                return {name: value.strip("\"'") for name, _, value in pairs}
        except OSError:
            continue
    return {}


def _filesystem_of(path: str) -> str:
    """The type of the file system that `path` is on, by the longest mount point above it."""
    best, kind = "", "unknown"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            place = before.split(" ")[4]
            if (path + "/").startswith(place.rstrip("/") + "/") and len(place) >= len(best):
                best, kind = place, after.split(" ", 1)[0]
    return kind


def _proxy(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower(), "")


def _is_set(path: str) -> bool:
    return _first_line(path) == "1"


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return ""
