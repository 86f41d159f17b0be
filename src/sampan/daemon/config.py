"""The daemon's settings: flags, and the JSON file with the same names; what each means is dockerd's.

A setting comes from one of the two: naming it in both is an error, as with dockerd, so that none silently wins. Flags
that may repeat (-H, --label...) are lists in the file, under dockerd's plural names.
Errors      InvalidArgument with a text that names the file or flag and the value.
Defaults    data root /var/lib/sampan, exec root /run/sampan, socket unix:///var/run/sampan.sock, pid file none,
            configuration file /etc/sampan/daemon.json (may be missing, unless it is named).
"""

import argparse
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan import __version__
from sampan.daemon import runtimesettings
from sampan.engine.runtimes import DEFAULT_INIT, OWN, Runtime, Runtimes
from sampan.errors import InvalidArgument

DEFAULT_DATA_ROOT = "/var/lib/sampan"
DEFAULT_EXEC_ROOT = "/run/sampan"
DEFAULT_HOST = "unix:///var/run/sampan.sock"
DEFAULT_CONFIG_FILE = "/etc/sampan/daemon.json"
DEFAULT_BRIDGE = "sampan0"
DEFAULT_TCP_PORT = 2375
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")

# Name in the file: (flag's attribute, type in the file)
_FILE_KEYS: dict[str, tuple[str, type[object]]] = {
    "data-root": ("data_root", str),
    "exec-root": ("exec_root", str),
    "hosts": ("hosts", list),
    "pidfile": ("pidfile", str),
    "log-level": ("log_level", str),
    "debug": ("debug", bool),
    "bridge": ("bridge", str),
    "bip": ("bip", str),
    "mtu": ("mtu", int),
    "group": ("group", str),
    "cgroup-parent": ("cgroup_parent", str),
    "labels": ("labels", list),
    "runtimes": ("runtimes", dict),
    "default-runtime": ("default_runtime", str),
    "init-path": ("init_path", str),
    "seccomp-profile": ("seccomp_profile", str),
    "no-new-privileges": ("no_new_privileges", bool),
    "selinux-enabled": ("selinux_enabled", bool),
    "userns-remap": ("userns_remap", str),
}
_NAMED_PROFILES = ("", "builtin", "unconfined")
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Checked settings; paths are absolute.

    seccomp_profile     "" or "builtin" for our own, "unconfined", or the path of a profile
    userns_remap        "", "default", or user[:group] by name or number
    """

    data_root: str = DEFAULT_DATA_ROOT
    exec_root: str = DEFAULT_EXEC_ROOT
    hosts: tuple[str, ...] = (DEFAULT_HOST,)
    pidfile: str = ""
    log_level: str = "info"
    bridge: str = DEFAULT_BRIDGE
    bip: str = ""
    mtu: int = 1500
    group: str = ""
    cgroup_parent: str = "/sampan"
    labels: tuple[str, ...] = ()
    runtimes: Mapping[str, Runtime] = field(default_factory=dict)
    default_runtime: str = OWN
    init_path: str = DEFAULT_INIT
    seccomp_profile: str = ""
    no_new_privileges: bool = False
    selinux_enabled: bool = False
    userns_remap: str = ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise InvalidArgument(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sampand",
        description="The Sampan daemon: serves the Docker Engine API and keeps containers.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--add-runtime",
        dest="added_runtimes",
        action="append",
        metavar="NAME=PATH",
        help="another OCI runtime that containers can ask for; may be repeated",
    )
    add("--bip", metavar="IP/PREFIX", help="address and subnet of the default bridge")
    add("-b", "--bridge", metavar="NAME", help=f"name of the default bridge (default {DEFAULT_BRIDGE})")
    add("--cgroup-parent", metavar="PATH", help="cgroup that containers' cgroups are made in (default /sampan)")
    add("--config-file", metavar="FILE", help=f"settings as JSON (default {DEFAULT_CONFIG_FILE})")
    add("--data-root", metavar="DIR", help=f"what must last (default {DEFAULT_DATA_ROOT})")
    add("-D", "--debug", action="store_true", help="the same as --log-level debug")
    add("--default-runtime", metavar="NAME", help=f"runtime of containers that ask for none (default {OWN})")
    add("--exec-root", metavar="DIR", help=f"state of running containers (default {DEFAULT_EXEC_ROOT})")
    add("-G", "--group", metavar="GROUP", help="group of the unix socket (default: root's own)")
    add(
        "-H",
        "--host",
        dest="hosts",
        action="append",
        metavar="URL",
        help=f"where to listen, unix://PATH or tcp://ADDRESS:PORT; may be repeated (default {DEFAULT_HOST})",
    )
    add("--init-path", metavar="FILE", help=f"what --init runs with another runtime (default {DEFAULT_INIT})")
    add("--label", dest="labels", action="append", metavar="KEY=VALUE", help="label of this daemon; may be repeated")
    add("-l", "--log-level", choices=LOG_LEVELS, help="how much to tell (default info)")
    add("--mtu", type=int, metavar="BYTES", help="largest packet on the default bridge (default 1500)")
    add("--no-new-privileges", action="store_true", help="set no-new-privileges for containers that do not say")
    add("-p", "--pidfile", metavar="FILE", help="where to write the daemon's process id")
    add(
        "--seccomp-profile",
        metavar="FILE",
        help='system call filter of containers that name none; "unconfined" is none at all (default builtin)',
    )
    add("--selinux-enabled", action="store_true", help="label containers for SELinux")
    add("--userns-remap", metavar="USER[:GROUP]", help='subordinate ids of containers; "default" is a user of our own')
    add("--validate", action="store_true", help="check the settings and leave")
    add("-v", "--version", action="store_true", help="print the version and leave")
    return parser


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a command line asks for: to run with `config`, or only to print `text`."""

    config: Config
    text: str = ""


def from_command_line(argv: list[str]) -> Invocation:
    """Read flags and file."""
    flags = vars(_parser().parse_args(argv))
    if flags.pop("version", False):
        return Invocation(Config(), f"Sampan version {__version__}")
    only_checks = flags.pop("validate", False)
    path = flags.pop("config_file", None)
    settings = _merge(flags, _read_file(path or DEFAULT_CONFIG_FILE, must_exist=path is not None))
    config = _checked(settings)
    return Invocation(config, "configuration OK" if only_checks else "")


def _read_file(path: str, *, must_exist: bool) -> dict[str, Any]:
    failed = f"unable to configure the Sampan daemon with file {path}"
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError as error:
        if not must_exist:
            return {}
        raise InvalidArgument(f"{failed}: open {path}: no such file or directory") from error
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"{failed}: {error}") from error
    if not isinstance(found, dict):
        raise InvalidArgument(f"{failed}: not a JSON object")
    unknown = sorted(found.keys() - _FILE_KEYS.keys())
    if unknown:
        raise InvalidArgument(
            f"{failed}: the following directives don't match any configuration option: {', '.join(unknown)}"
        )
    for key, value in found.items():
        kind = _FILE_KEYS[key][1]
        if type(value) is not kind or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            raise InvalidArgument(f"{failed}: {key}: expected {_KIND_NAMES[kind]}, got {json.dumps(value)}")
    return {"path": path, "settings": found}


_KIND_NAMES = {
    str: "a string",
    list: "a list of strings",
    bool: "true or false",
    int: "a number",
    dict: "an object",
}


def _merge(flags: dict[str, Any], file: dict[str, Any]) -> dict[str, Any]:
    merged = dict(flags)
    conflicts = []
    for key, value in file.get("settings", {}).items():
        attribute = _FILE_KEYS[key][0]
        if attribute in flags:
            conflicts.append(f"{key}: (from flag: {_shown(flags[attribute])}, from file: {_shown(value)})")
        merged[attribute] = value
    if conflicts:
        raise InvalidArgument(
            f"unable to configure the Sampan daemon with file {file['path']}: the following directives are specified "
            f"both as a flag and in the configuration file: {', '.join(conflicts)}"
        )
    return merged


def _shown(value: object) -> str:
    return f"[{' '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _checked(settings: dict[str, Any]) -> Config:
    settings["runtimes"] = _runtimes(settings)
    if settings.pop("debug", False):
        settings["log_level"] = "debug"
    for name in ("hosts", "labels"):
        if name in settings:
            settings[name] = tuple(settings[name])
    for name in ("data_root", "exec_root", "pidfile"):
        if settings.get(name):
            settings[name] = os.path.abspath(settings[name])
    settings["default_runtime"] = settings.get("default_runtime") or OWN
    settings["init_path"] = settings.get("init_path") or DEFAULT_INIT
    if settings.get("seccomp_profile", "") not in _NAMED_PROFILES:
        settings["seccomp_profile"] = os.path.abspath(settings["seccomp_profile"])
    config = Config(**settings)
    if config.log_level not in LOG_LEVELS:
        raise InvalidArgument(f"invalid logging level: {config.log_level}")
    if not _INTERFACE.fullmatch(config.bridge):
        raise InvalidArgument(f"invalid bridge name {config.bridge!r}")
    if not 68 <= config.mtu <= 65535:
        raise InvalidArgument(f"invalid default MTU: {config.mtu}")
    try:
        Runtimes(config.runtimes).find(config.default_runtime)
    except InvalidArgument as error:
        raise InvalidArgument(f"specified default runtime '{config.default_runtime}' does not exist") from error
    for host in config.hosts:
        parse_host(host)
    if not config.hosts:
        raise InvalidArgument("no host to listen on")
    return config


def _runtimes(settings: dict[str, Any]) -> dict[str, Runtime]:
    """Those of the file and those of the flags together, as dockerd has it."""
    found = runtimesettings.from_file(settings.pop("runtimes", {}))
    added = runtimesettings.from_flags(settings.pop("added_runtimes", []))
    twice = sorted(found.keys() & added.keys())
    if twice:
        raise InvalidArgument(f"runtime '{twice[0]}' was already defined")
    return found | added


@dataclass(frozen=True, slots=True)
class Host:
    """Where to listen: `path` of a unix socket, or `address` and `port`."""

    path: str = ""
    address: str = ""
    port: int = 0


def parse_host(text: str) -> Host:
    """Understand one -H."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = ("unix", text) if text.startswith("/") else ("tcp", text)
    if scheme == "unix":
        path = rest or DEFAULT_HOST.removeprefix("unix://")
        if not path.startswith("/") or len(os.fsencode(path)) > 107:
            raise InvalidArgument(f"invalid unix socket path in {text!r}: it must be absolute, of at most 107 bytes")
        return Host(path=path)
    if scheme == "tcp":
        address, _, port = rest.rpartition(":") if ":" in rest else (rest, "", str(DEFAULT_TCP_PORT))
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise InvalidArgument(f"invalid bind address {text!r}: invalid port {port!r}")
        return Host(address=address.strip("[]") or "127.0.0.1", port=int(port))
    raise InvalidArgument(f"invalid protocol in host {text!r}: use unix:// or tcp://")
