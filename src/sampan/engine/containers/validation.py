"""What a create request may ask for: each check raises InvalidArgument (for security options Internal, because clients
know these as 500) in Docker's words.

The checks look at the request alone (and at the number of CPUs), never at the disk or at other containers.
Spec    moby daemon/container.go and daemon_unix.go, texts compared with Docker 28.5.
"""

import os
import re
from collections.abc import Callable

from sampan.api.wire.container import ContainerConfig, HealthConfig
from sampan.api.wire.host import HostConfig
from sampan.engine import securityoptions
from sampan.engine.containers.signals import parse_signal
from sampan.errors import InvalidArgument
from sampan.linux.capabilities import NAMES as CAPABILITY_NAMES

MINIMUM_MEMORY_BYTES = 6 * 1024 * 1024
LOG_OPTIONS = {
    "json-file": frozenset(
        "max-file max-size compress labels labels-regex env env-regex tag mode max-buffer-size".split()
    ),
    "none": frozenset[str](),
}
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_POLICIES = ("no", "always", "on-failure", "unless-stopped")
_CPUSET = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


def check_name(name: str) -> str:
    """The name without the slash that clients may put before it."""
    bare = name.removeprefix("/")
    if not _NAME.fullmatch(bare):
        raise InvalidArgument(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return bare


def check_config(config: ContainerConfig) -> None:
    """The part of a request that an image's configuration has too."""
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidArgument(
            f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path"
        )
    for variable in config.env or ():
        if not variable.partition("=")[0]:
            raise InvalidArgument(f"invalid environment variable: {variable}")
    if config.stop_signal:
        parse_signal(config.stop_signal)
    if config.mac_address and not _MAC.fullmatch(config.mac_address):
        raise InvalidArgument(f"invalid config for network bridge: invalid MAC address {config.mac_address}")
    if config.healthcheck is not None:
        _check_health(config.healthcheck)


def _check_health(health: HealthConfig) -> None:
    durations = {
        "Interval": health.interval,
        "Timeout": health.timeout,
        "StartPeriod": health.start_period,
        "StartInterval": health.start_interval,
    }
    for name, value_ns in durations.items():
        if value_ns and value_ns < 1_000_000:
            raise InvalidArgument(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidArgument("Retries in Healthcheck cannot be negative")


def check_host(host: HostConfig) -> None:
    """The host-side part; mounts and networks have their own modules."""
    for check in _HOST_CHECKS:
        check(host)


def check_remapped(host: HostConfig) -> None:
    """What a container in a user namespace of its own cannot have."""
    if host.privileged:
        raise InvalidArgument(
            "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace "
            "when running privileged mode"
        )
    for mode, name in ((host.network_mode, "host's network"), (host.pid_mode, "host PID")):
        if mode == "host":
            raise InvalidArgument(f"cannot share the {name} namespace when user namespaces are enabled")


def _check_restart(host: HostConfig) -> None:
    name, retries = host.restart_policy.name, host.restart_policy.maximum_retry_count
    if host.auto_remove and name not in ("", "no"):
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")
    if name and name not in _POLICIES:
        raise InvalidArgument(
            f"invalid restart policy: unknown policy '{name}'; "
            "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if retries and name != "on-failure":
        raise InvalidArgument("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    if retries < 0:
        raise InvalidArgument("invalid restart policy: maximum retry count cannot be negative")


def _check_memory(host: HostConfig) -> None:
    if host.shm_size < 0:
        raise InvalidArgument("SHM size can not be less than 0")
    if host.memory and host.memory < MINIMUM_MEMORY_BYTES:
        raise InvalidArgument("Minimum memory limit allowed is 6MB")
    if host.memory > 0 and 0 < host.memory_swap < host.memory:
        raise InvalidArgument("Minimum memoryswap limit should be larger than memory limit, see usage")
    if host.memory == 0 and host.memory_swap > 0:
        raise InvalidArgument("You should always set the Memory limit when using Memoryswap limit, see usage")
    swappiness = host.memory_swappiness
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise InvalidArgument(f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")
    if 0 < host.memory_reservation < MINIMUM_MEMORY_BYTES:
        raise InvalidArgument("Minimum memory reservation allowed is 6MB")
    if 0 < host.memory < host.memory_reservation:
        raise InvalidArgument("Minimum memory limit can not be less than memory reservation limit, see usage")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidArgument(f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]")


def _check_cpu(host: HostConfig) -> None:
    cpus = os.cpu_count() or 1
    if host.nano_cpus and host.cpu_period:
        raise InvalidArgument("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if host.nano_cpus and host.cpu_quota:
        raise InvalidArgument("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if host.nano_cpus < 0 or host.nano_cpus > cpus * 1_000_000_000:
        raise InvalidArgument(f"range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available")
    if host.cpu_shares < 0:
        raise InvalidArgument(f"invalid CPU shares ({host.cpu_shares}): value must be a positive integer")
    if host.cpu_period and not 1000 <= host.cpu_period <= 1_000_000:
        raise InvalidArgument("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < host.cpu_quota < 1000:
        raise InvalidArgument("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    _check_cpuset("cpuset cpus", "CPUs", host.cpuset_cpus, cpus)
    _check_cpuset("cpuset mems", "memory nodes", host.cpuset_mems, None)


def _check_cpuset(field: str, noun: str, text: str, count: int | None) -> None:
    if not text:
        return
    if not _CPUSET.fullmatch(text):
        raise InvalidArgument(f"Invalid value {text} for {field}: invalid format: {text}")
    highest = max(int(number) for number in re.findall(r"\d+", text))
    if count is not None and highest >= count:
        available = f"0-{count - 1}" if count > 1 else "0"
        raise InvalidArgument(f"Requested {noun} are not available - requested {text}, available: {available}")


def _check_capabilities(host: HostConfig) -> None:
    for field, names in (("CapAdd", host.cap_add), ("CapDrop", host.cap_drop)):
        for name in names or ():
            full = name.upper() if name.upper().startswith("CAP_") else f"CAP_{name.upper()}"
            if full != "CAP_ALL" and full not in CAPABILITY_NAMES:
                raise InvalidArgument(f'invalid {field}: unknown capability: "{full}"')


def _check_modes(host: HostConfig) -> None:
    if host.pid_mode not in ("", "host") and not host.pid_mode.startswith("container:"):
        raise InvalidArgument(f"invalid PID mode: {host.pid_mode}")
    known = ("", "none", "private", "shareable", "host")
    if host.ipc_mode not in known and not host.ipc_mode.startswith("container:"):
        raise InvalidArgument(f"invalid IPC mode: {host.ipc_mode}")
    if host.uts_mode not in ("", "host"):
        raise InvalidArgument(f"invalid UTS mode: {host.uts_mode}")
    if host.cgroupns_mode not in ("", "host", "private"):
        raise InvalidArgument(f"invalid cgroup namespace mode: {host.cgroupns_mode}")
    if host.isolation not in ("", "default"):
        raise InvalidArgument(f"invalid isolation ({host.isolation}): linux only supports 'default'")


def _check_log(host: HostConfig) -> None:
    options = LOG_OPTIONS.get(host.log_config.type or "json-file")
    if options is None:
        name = host.log_config.type
        raise InvalidArgument(f'error looking up logging plugin {name}: plugin "{name}" not found')
    for option in host.log_config.config or ():
        if option not in options:
            raise InvalidArgument(f"unknown log opt '{option}' for {host.log_config.type or 'json-file'} log driver")


def _check_ports(host: HostConfig) -> None:
    for port, bindings in (host.port_bindings or {}).items():
        number, _, protocol = port.partition("/")
        if not _is_port(number):
            raise InvalidArgument(f'invalid port specification: "{number}"')
        if protocol not in ("", "tcp", "udp", "sctp"):
            raise InvalidArgument(f'invalid port specification: "{port}"')
        for binding in bindings or ():
            text = binding.host_port
            if text and not all(_is_port(part) for part in text.split("-", 1)):
                raise InvalidArgument(f'invalid port specification: "{text}"')


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < 65536


def _check_texts(host: HostConfig) -> None:
    for entry in host.extra_hosts or ():
        name, separator, address = entry.partition(":")
        if not (name and separator and address):
            raise InvalidArgument(f'bad format for add-host: "{entry}"')
    securityoptions.parse(host.security_opt)


_HOST_CHECKS: tuple[Callable[[HostConfig], None], ...] = (
    _check_memory,
    _check_cpu,
    _check_capabilities,
    _check_restart,
    _check_modes,
    _check_log,
    _check_ports,
    _check_texts,
)
