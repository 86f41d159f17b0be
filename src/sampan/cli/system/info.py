"""`sampan info`: the engine and its host, in docker's layout."""

from __future__ import annotations

import sys

from sampan import __version__
from sampan.cli.command import Command, Failure, write_error
from sampan.cli.output import document, units
from sampan.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed

# (heading, field, whether it is shown when empty), in docker's order; None stands for a block made by a function.
_COUNTS = (("Containers", "Containers"), (" Running", "ContainersRunning"), (" Paused", "ContainersPaused"))
_HOST = (
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
)
_PROXIES = (("HTTP Proxy", "HttpProxy"), ("HTTPS Proxy", "HttpsProxy"), ("No Proxy", "NoProxy"))


def client_text(*, is_debug: bool) -> str:
    return f"Client:\n Version:    {__version__}\n Context:    default\n Debug Mode: {_flag(is_debug)}\n"


def server_text(found: dict[str, Any]) -> str:
    lines = ["Server:"]
    lines += [f" {name}: {found.get(field, 0)}" for name, field in _COUNTS]
    lines += [f"  Stopped: {found.get('ContainersStopped', 0)}", f" Images: {found.get('Images', 0)}"]
    lines += _given(found, (("Server Version", "ServerVersion"), ("Storage Driver", "Driver")))
    lines += [f"  {name}: {value}" for name, value in found.get("DriverStatus") or []]
    lines += [f" {name}: {value}" for name, value in found.get("SystemStatus") or []]
    lines += _given(
        found,
        (("Logging Driver", "LoggingDriver"), ("Cgroup Driver", "CgroupDriver"), ("Cgroup Version", "CgroupVersion")),
    )
    lines += _plugin_lines(found.get("Plugins") or {})
    if found.get("CDISpecDirs"):
        lines += [" CDI spec directories:", *(f"  {path}" for path in found["CDISpecDirs"])]
    lines.append(f" Swarm: {(found.get('Swarm') or {}).get('LocalNodeState') or 'inactive'}")
    lines += _runtime_lines(found)
    lines += _security_lines(found)
    lines += [f" {name}: {found.get(field, '')}" for name, field in _HOST]
    lines.append(f" Total Memory: {units.binary_size(found.get('MemTotal', 0))}")
    lines += [f" Name: {found.get('Name', '')}", f" ID: {found.get('ID', '')}"]
    lines += [f" Docker Root Dir: {found.get('DockerRootDir', '')}", f" Debug Mode: {_flag(found.get('Debug'))}"]
    lines += _given(found, _PROXIES)
    if found.get("Labels"):
        lines += [" Labels:", *(f"  {label}" for label in found["Labels"])]
    lines.append(f" Experimental: {_flag(found.get('ExperimentalBuild'))}")
    lines += _registry_lines(found.get("RegistryConfig") or {})
    lines.append(f" Live Restore Enabled: {_flag(found.get('LiveRestoreEnabled'))}")
    if found.get("ProductLicense"):
        lines.append(f" Product License: {found['ProductLicense']}")
    lines += _pool_lines(found)
    return "\n".join(lines) + "\n\n"


def _flag(value: object) -> str:
    return "true" if value else "false"


def _given(found: dict[str, Any], rows: tuple[tuple[str, str], ...]) -> list[str]:
    return [f" {name}: {found[field]}" for name, field in rows if found.get(field)]


def _plugin_lines(plugins: dict[str, Any]) -> list[str]:
    lines = [" Plugins:"]
    for kind in ("Volume", "Network", "Authorization", "Log"):
        if plugins.get(kind):
            lines.append(f"  {kind}: {' '.join(plugins[kind])}")
        elif kind in ("Volume", "Network"):
            lines.append(f"  {kind}: ")
    return lines


def _runtime_lines(found: dict[str, Any]) -> list[str]:
    lines = []
    if found.get("Runtimes"):
        lines = [
            f" Runtimes: {' '.join(sorted(found['Runtimes']))}",
            f" Default Runtime: {found.get('DefaultRuntime', '')}",
        ]
    if found.get("OSType") == "linux":
        lines.append(f" Init Binary: {found.get('InitBinary', '')}")
        for name, field in (("containerd", "ContainerdCommit"), ("runc", "RuncCommit"), ("init", "InitCommit")):
            if field in found:
                lines.append(f" {name} version: {(found[field] or {}).get('ID', '')}")
    return lines


def _security_lines(found: dict[str, Any]) -> list[str]:
    options = found.get("SecurityOptions") or []
    lines = [" Security Options:"] if options else []
    for option in options:
        fields = [field.partition("=")[::2] for field in option.split(",")]
        names = [value for key, value in fields if key == "name"]
        lines.append(f"  {names[0] if names else option}")
        lines += [f"   {key.capitalize()}: {value}" for key, value in fields if key != "name"]
    return lines


def _registry_lines(registry: dict[str, Any]) -> list[str]:
    insecure = [name for name, index in (registry.get("IndexConfigs") or {}).items() if not index.get("Secure", True)]
    insecure += registry.get("InsecureRegistryCIDRs") or []
    lines = [" Insecure Registries:", *(f"  {name}" for name in insecure)] if insecure else []
    if registry.get("Mirrors"):
        lines += [" Registry Mirrors:", *(f"  {mirror}" for mirror in registry["Mirrors"])]
    return lines


def _pool_lines(found: dict[str, Any]) -> list[str]:
    pools = found.get("DefaultAddressPools") or []
    return (
        [" Default Address Pools:", *(f"   Base: {pool['Base']}, Size: {pool['Size']}" for pool in pools)]
        if pools
        else []
    )


def run(context: Context, parsed: Parsed) -> int:
    form = parsed["format"]
    failure: Error | None = None
    found: dict[str, Any] = {}
    try:
        found = context.engine.get("/info")
    except Error as cause:
        failure = cause
    if form:
        client = {"Version": __version__, "Context": "default", "Debug": False, "Plugins": [], "Warnings": None}
        sys.stdout.write(document.format_document({**found, "ClientInfo": client}, form) + "\n")
    else:
        sys.stdout.write(client_text(is_debug=False) + "\n")
        sys.stdout.write(server_text(found) if failure is None else "Server:\n")
    sys.stdout.flush()
    if failure is not None:
        raise Failure(str(failure))
    for warning in found.get("Warnings") or []:
        if not form:
            write_error(warning)
    return 0


COMMAND = Command(
    "[OPTIONS]",
    "Display system-wide information",
    run=run,
    flags=(("format", "f", "string", document.FORMAT_HELP),),
    aliases=("system info", "info"),
    most=0,
)
