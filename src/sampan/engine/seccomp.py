"""Which system call filter a container gets: profiles in Docker's form, read and resolved for one container.

A profile is the OCI config's `linux.seccomp` with more: rules that hold only for machines, kernels or capabilities
(includes, excludes) and a map from a machine to the ABIs it runs.
Choice      "unconfined" has none; a privileged one only the one it names; others the one they name, the daemon's own
            setting, or Docker's default (`seccompdefault`).
Errors      Internal, in Docker's words: profiles are read when the container starts.
Spec        github.com/moby/profiles, seccomp; moby daemon/seccomp_linux.go.
"""

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import msgspec

from sampan.api.wire import gojson
from sampan.api.wire.gojson import Shape, Uint64
from sampan.api.wire.host import HostConfig
from sampan.base import jsontext
from sampan.base.jsonsyntax import compact
from sampan.engine import securityoptions
from sampan.engine.host import BUILTIN, UNCONFINED, HostFacts
from sampan.engine.seccompdefault import default_profile
from sampan.errors import Internal, InvalidArgument
from sampan.oci.seccomp import Filter, compile_filter
from sampan.runtime.filter import Filter as LoadableFilter

Json = dict[str, Any]

# By the machine's name: as profiles call it, and its ABI.
_MACHINES = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "i686": ("x86", "SCMP_ARCH_X86"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "armv7l": ("arm", "SCMP_ARCH_ARM"),
}
_KEPT_PROFILES = 64
# With Docker it is the runtime that finds these faults.
_REFUSED = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
)


class _Rules(Shape, rename="camel", forbid_unknown_fields=False):
    """When a rule holds."""

    caps: list[str] = gojson.LIST
    arches: list[str] = gojson.LIST
    min_kernel: str = ""


class _Argument(Shape, rename="camel", forbid_unknown_fields=False):
    index: Uint64 = 0
    value: Uint64 = 0
    value_two: Uint64 = 0
    op: str = ""


class _Call(Shape, rename="camel", forbid_unknown_fields=False):
    names: list[str] = gojson.LIST
    name: str = ""
    action: str = ""
    errno_ret: Uint64 | None = None
    args: list[_Argument] = gojson.LIST
    includes: _Rules | None = None
    excludes: _Rules | None = None


class _Abis(Shape, rename="camel", forbid_unknown_fields=False):
    architecture: str = ""
    sub_architectures: list[str] = gojson.LIST


class _Profile(Shape, rename="camel", forbid_unknown_fields=False):
    go_type = go_path = "Seccomp"

    default_action: str = ""
    default_errno_ret: Uint64 | None = None
    architectures: list[str] = gojson.LIST
    flags: list[str] | None = None
    listener_path: str = ""
    listener_metadata: str = ""
    arch_map: list[_Abis] = gojson.LIST
    syscalls: list[_Call] = gojson.LIST


def seccomp_of(host: HostConfig, bounding: Iterable[str], facts: HostFacts) -> Json | None:
    """`linux.seccomp` of a container with these capabilities. The result is shared: it must not be changed."""
    wanted = securityoptions.parse(host.security_opt).seccomp
    if wanted == UNCONFINED or (host.privileged and not wanted):
        return None
    if not facts.has_seccomp:
        if wanted not in ("", BUILTIN):
            raise Internal("seccomp is not enabled in your kernel, cannot run a custom seccomp profile")
        return None
    if not wanted:
        if facts.seccomp_profile == UNCONFINED:
            return None
        wanted = facts.seccomp_text
    text = "" if wanted == BUILTIN else wanted
    return _resolved(text, frozenset(bounding), facts.machine, facts.kernel)


def filter_of(seccomp: Json | None) -> LoadableFilter | None:
    """What a container's first process and its execs are to load; kept by the identity of `seccomp`."""
    if seccomp is None:
        return None
    known = _loadable.get(id(seccomp))
    if known is not None and known[0] is seccomp:
        return known[1]
    found = compiled(seccomp)
    if found.needs_listener and not seccomp.get("listenerPath"):
        raise Internal(f"{_REFUSED}unable to start container process: listenerPath is not set")
    made = LoadableFilter.of(seccomp, found.program, found.flags) if found.program else None
    if len(_loadable) >= _KEPT_PROFILES:
        _loadable.clear()
    _loadable[id(seccomp)] = (seccomp, made)
    return made


_loadable: dict[int, tuple[Json, LoadableFilter | None]] = {}


def compiled(seccomp: Json) -> Filter:
    """The filter; one that was made before is not made again."""
    return _compiled(jsontext.dumps(seccomp))


@lru_cache(maxsize=_KEPT_PROFILES)
def _compiled(text: str) -> Filter:
    try:
        return compile_filter(jsontext.loads(text))
    except InvalidArgument as error:
        raise Internal(f"{_REFUSED}{error}") from error


@lru_cache(maxsize=_KEPT_PROFILES)
def _resolved(text: str, capabilities: frozenset[str], machine: str, kernel: tuple[int, int]) -> Json | None:
    profile = _parsed(text) if text else _default()
    if not profile.default_action and not profile.syscalls:
        return None
    if profile.architectures and profile.arch_map:
        raise Internal(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'"
        )
    machine_name, abi = _MACHINES.get(machine, (machine, ""))
    found: Json = {"defaultAction": profile.default_action}
    _keep(found, "defaultErrnoRet", profile.default_errno_ret)
    _keep(found, "architectures", profile.architectures or _abis(profile, abi) or None)
    _keep(found, "flags", profile.flags)
    _keep(found, "listenerPath", profile.listener_path or None)
    _keep(found, "listenerMetadata", profile.listener_metadata or None)
    kept = [_oci(call) for call in profile.syscalls if _holds(call, capabilities, machine_name, kernel)]
    _keep(found, "syscalls", kept or None)
    return found


@cache
def _default() -> _Profile:
    return msgspec.convert(default_profile(), _Profile)


def _parsed(text: str) -> _Profile:
    try:
        profile = gojson.decode(compact(text.encode("utf-8", "surrogateescape")), _Profile)
    except (InvalidArgument, ValueError) as error:
        reason = str(error).removeprefix("invalid JSON: ")
        raise Internal(f"Decoding seccomp profile failed: {reason}") from error
    for call in profile.syscalls:
        for rules in (call.includes, call.excludes):
            if rules is not None and rules.min_kernel:
                _version(rules.min_kernel)
    return profile


def _version(text: str) -> tuple[int, int]:
    parts = text.split(".")
    what = f'Decoding seccomp profile failed: invalid kernel version: "{text}", expected "<kernel>.<major>"'
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        raise Internal(what)
    if not any(map(int, parts)):
        raise Internal(f"{what}: version cannot be 0.0")
    return int(parts[0]), int(parts[1])


def _abis(profile: _Profile, abi: str) -> list[str]:
    for entry in profile.arch_map:
        if entry.architecture == abi:
            return [abi, *entry.sub_architectures]
    return []


def _holds(call: _Call, capabilities: frozenset[str], machine: str, kernel: tuple[int, int]) -> bool:
    """A rule is excluded by any of its excludes, and included by all of its includes."""
    if call.name and call.names:
        raise Internal("both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'")
    excludes, includes = call.excludes, call.includes
    if excludes is not None and (
        machine in excludes.arches
        or not capabilities.isdisjoint(excludes.caps)
        or (excludes.min_kernel and kernel >= _version(excludes.min_kernel))
    ):
        return False
    return includes is None or (
        (not includes.arches or machine in includes.arches)
        and capabilities.issuperset(includes.caps)
        and (not includes.min_kernel or kernel >= _version(includes.min_kernel))
    )


def _oci(call: _Call) -> Json:
    found: Json = {"names": [call.name] if call.name else call.names, "action": call.action}
    _keep(found, "errnoRet", call.errno_ret)
    _keep(found, "args", [_oci_argument(argument) for argument in call.args] or None)
    return found


def _oci_argument(argument: _Argument) -> Json:
    found: Json = {"index": argument.index, "value": argument.value, "op": argument.op}
    _keep(found, "valueTwo", argument.value_two or None)
    return found


def _keep(found: Json, name: str, value: object) -> None:
    if value is not None:
        found[name] = value
