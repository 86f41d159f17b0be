"""The OCI process object: what runs, with which environment and privileges; of a container or of an exec. Pure.

The user is not resolved here: names mean what the container's own /etc/passwd says, so its first process looks them up.
Spec        runtime-spec 1.2, config.md "Process"; moby daemon/pkg/oci/caps/utils.go (TweakCapabilities).
"""

from typing import TYPE_CHECKING, Any

from sampan.api.wire.exec import ExecConfig
from sampan.api.wire.host import HostConfig
from sampan.engine import securityoptions
from sampan.engine.apparmor import profile_of
from sampan.engine.host import HostFacts
from sampan.engine.resources import rlimits
from sampan.linux import capabilities

if TYPE_CHECKING:
    from sampan.engine.containers.record import ContainerRecord

Json = dict[str, Any]

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_CAPABILITIES = (
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SETFCAP"
    " CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE"
).split()
_ALL = "CAP_ALL"


def container_process(record: "ContainerRecord", facts: HostFacts) -> Json:
    """The container's first process."""
    config, host = record.config, record.host
    found: Json = {
        "terminal": config.tty,
        "user": {"uid": 0, "gid": 0},
        "args": [record.path, *record.args],
        "env": environment(record),
        "cwd": config.working_dir or "/",
        "capabilities": _sets(granted(host, facts)),
        "noNewPrivileges": has_no_new_privileges(host, facts),
        "oomScoreAdj": host.oom_score_adj,
    }
    if config.tty and host.console_size != (0, 0):
        found["consoleSize"] = _size(host.console_size)
    if host.ulimits:
        found["rlimits"] = rlimits(host.ulimits)
    return _with_apparmor(found, host, facts)


def exec_process(record: "ContainerRecord", exec_config: ExecConfig, facts: HostFacts) -> Json:
    """A further process of a container, with the container's environment and limits, and privileges of its own."""
    config, host = record.config, record.host
    names = _everything(facts) if exec_config.privileged else granted(host, facts)
    found: Json = {
        "terminal": exec_config.tty,
        "user": {"uid": 0, "gid": 0},
        "args": list(exec_config.cmd or []),
        "env": replace_env(environment(record, tty=exec_config.tty), exec_config.env or []),
        "cwd": exec_config.working_dir or config.working_dir or "/",
        "capabilities": _sets(names),
        "noNewPrivileges": has_no_new_privileges(host, facts) and not exec_config.privileged,
        "oomScoreAdj": host.oom_score_adj,
    }
    if exec_config.tty and exec_config.console_size:
        found["consoleSize"] = _size(exec_config.console_size)
    if host.ulimits:
        found["rlimits"] = rlimits(host.ulimits)
    return _with_apparmor(found, host, facts)


def _size(console_size: tuple[int, int]) -> Json:
    height, width = console_size
    return {"height": height, "width": width}


def environment(record: "ContainerRecord", *, tty: bool | None = None) -> list[str]:
    """What every process of a container has: Docker's defaults, overridden by the container's own."""
    config = record.config
    defaults = [DEFAULT_PATH, f"HOSTNAME={config.hostname}"]
    if config.tty if tty is None else tty:
        defaults.append("TERM=xterm")
    return replace_env(defaults, config.env or [])


def replace_env(defaults: list[str], overrides: list[str]) -> list[str]:
    """Later values win, in the place of the first; a name without "=" takes the variable away."""
    found = {variable.partition("=")[0]: variable for variable in defaults}
    for variable in overrides:
        name, equals, _ = variable.partition("=")
        if equals:
            found[name] = variable
        else:
            found.pop(name, None)
    return list(found.values())


def granted(host: HostConfig, facts: HostFacts) -> list[str]:
    """The names of a container's capabilities, by CapAdd, CapDrop and Privileged."""
    if host.privileged:
        return _everything(facts)
    add = [_full_name(name) for name in host.cap_add or []]
    drop = {_full_name(name) for name in host.cap_drop or []}
    if _ALL in add:
        return [name for name in _everything(facts) if name not in drop]
    kept = [] if _ALL in drop else [name for name in DEFAULT_CAPABILITIES if name not in drop]
    return [name for name in dict.fromkeys(kept + add) if name in facts.capabilities]


def _everything(facts: HostFacts) -> list[str]:
    return [name for name in capabilities.NAMES if name in facts.capabilities]


def _full_name(name: str) -> str:
    upper = name.upper()
    return upper if upper.startswith("CAP_") else f"CAP_{upper}"


def _sets(names: list[str]) -> Json:
    # Nothing is inheritable or ambient: a process that is not root has none of these (CVE-2022-24769).
    return {"bounding": names, "effective": list(names), "permitted": list(names)}


def has_no_new_privileges(host: HostConfig, facts: HostFacts) -> bool:
    """What the container asks for, else the daemon's setting."""
    asked = securityoptions.parse(host.security_opt).no_new_privileges
    return facts.no_new_privileges if asked is None else asked


def _with_apparmor(process: Json, host: HostConfig, facts: HostFacts) -> Json:
    profile = profile_of(host, is_enabled=facts.has_apparmor)
    return process | {"apparmorProfile": profile} if profile else process
