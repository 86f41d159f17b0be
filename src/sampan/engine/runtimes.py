"""The runtimes that containers can ask for by name: our own, and programs with runc's command line that are configured.

Names       "sampan" is our own. "runc" and "io.containerd.runc.v2", which clients send because they are dockerd's
            defaults, mean our own too, unless a runtime "runc" is configured: then both mean that one.
rro         Recursively read-only mounts become plainly read-only ones where a runtime does not say that it knows them.
--init      Our own runtime is its own reaper; another one gets the binary `init_path` mounted and run as the first
            process, as dockerd does it.
Errors      InvalidArgument: no runtime of that name; StartFailed (127): its program is not there.
"""

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sampan.errors import Internal, InvalidArgument, StartFailed

if TYPE_CHECKING:
    from sampan.api.wire.host import HostConfig

OWN = "sampan"
DEFAULT_INIT = "docker-init"
INIT_TARGET = "/sbin/docker-init"
FEATURES_STATUS = "org.opencontainers.runtime-spec.features"
_DOCKERS = ("runc", "io.containerd.runc.v2")
_PROBE_TIMEOUT_S = 5.0
_CREATE_FAILED = "failed to create task for container: failed to create shim task: OCI runtime create failed: "

_log = logging.getLogger("sampan.runtimes")


@dataclass(frozen=True, slots=True)
class Runtime:
    """A configured runtime: a program by path or by a name to be found in PATH, and its first arguments."""

    path: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Runtimes:
    """Those that the daemon was told of; `features` is what each said about itself, JSON texts by name."""

    configured: Mapping[str, Runtime] = field(default_factory=dict)
    default: str = OWN
    init_path: str = DEFAULT_INIT
    features: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Runtime | None:
        """The runtime of a name, None for our own; an empty name is the default's."""
        return self.configured.get(self._real_name(name))

    def _real_name(self, name: str) -> str:
        name = name or self.default
        if name in self.configured:
            return name
        if name in _DOCKERS:
            return "runc" if "runc" in self.configured else OWN
        if name != OWN:
            raise InvalidArgument(f"unknown or invalid runtime name: {name}")
        return OWN

    def program(self, name: str) -> dict[str, Any] | None:
        """What a shim is told about the runtime: `LaunchRequest.runtime`."""
        runtime = self.find(name)
        if runtime is None:
            return None
        return {"path": located(runtime.path), "args": list(runtime.args)}

    def fit(self, spec: dict[str, Any], host: "HostConfig") -> None:
        """Make our config one for another runtime: what our own does by itself must be spelled out."""
        if not self._knows_recursive_read_only(host.runtime):
            self._weaken_read_only(spec, host)
        if host.init and not host.pid_mode:
            path = shutil.which(self.init_path)
            if path is None:
                raise Internal(f'exec: "{self.init_path}": executable file not found in $PATH')
            spec["process"]["args"] = [INIT_TARGET, "--", *spec["process"]["args"]]
            options = ["bind", "ro"]
            spec["mounts"].append({"destination": INIT_TARGET, "type": "bind", "source": path, "options": options})

    def _weaken_read_only(self, spec: dict[str, Any], host: "HostConfig") -> None:
        for asked in host.mounts or ():
            if asked.bind_options is not None and asked.bind_options.read_only_force_recursive:
                is_known = bool(self.features.get(self._real_name(host.runtime)))
                reason = "" if is_known else ": OCI features struct is not available"
                raise InvalidArgument(f'rro is not supported by runtime "{host.runtime}"{reason}')
        for mount in spec["mounts"]:
            mount["options"] = ["ro" if word == "rro" else word for word in mount.get("options") or []]

    def _knows_recursive_read_only(self, name: str) -> bool:
        text = self.features.get(self._real_name(name))
        return "rro" in (json.loads(text).get("mountOptions") or []) if text else False


def located(program: str) -> str:
    """The absolute path of a runtime's program; looked for anew each time, for it may be installed meanwhile."""
    path = shutil.which(program)
    if path is None:
        reason = (
            f'exec: "{program}": stat {program}: no such file or directory'
            if "/" in program and not os.path.exists(program)
            else f'exec: "{program}": permission denied'
            if "/" in program
            else f'exec: "{program}": executable file not found in $PATH'
        )
        raise StartFailed(f"{_CREATE_FAILED}{reason}", exit_code=126 if "denied" in reason else 127)
    return os.path.abspath(path)


def probe_features(runtime: Runtime) -> str:
    """What `RUNTIME features` prints, compact; "" when the program does not know the command. Blocks."""
    try:
        found = subprocess.run(
            [located(runtime.path), *runtime.args, "features"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
        )
        return json.dumps(json.loads(found.stdout), separators=(",", ":"))
    except StartFailed as error:
        _log.warning("runtime %s: %s", runtime.path, str(error).removeprefix(_CREATE_FAILED))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        _log.info("runtime %s tells nothing of its features: %s", runtime.path, error)
    return ""
