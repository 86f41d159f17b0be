"""A bundle's config.json: read, and refused where it cannot be what its author meant.

Only what would go unnoticed or fail half-way is checked here, in runc's words where it has some; a value that the
kernel refuses by itself is left to the kernel. What the specification wants to be tolerated is returned as a warning.

Errors      InvalidArgument; NotFound when the file is missing.
Spec        runtime-spec 1.2, config.md and config-linux.md (whose half is in `configlinux`).
"""

import os

from sampan.base import jsontext
from sampan.errors import InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOOK_KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
RLIMITS = (
    "RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC RLIMIT_NOFILE RLIMIT_MEMLOCK"
    " RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME"
).split()
CAPABILITY_SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
_ID_LIMIT = 1 << 32
_RLIMIT_LIMIT = 1 << 64


def load(bundle: str, *, name: str = "config.json") -> "dict[str, Any]":
    """The configuration of a bundle, not yet validated; `name` may be a path of its own."""
    path = os.path.join(bundle, name)
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        raise NotFound(f"JSON specification file {path} not found") from None
    try:
        spec = jsontext.loads(text)
    except ValueError as error:
        raise InvalidArgument(f"cannot parse {path}: {error}") from error
    if spec is None:
        raise InvalidArgument("config cannot be null")
    if not isinstance(spec, dict):
        raise InvalidArgument(f"cannot parse {path}: it holds no JSON object")
    return spec


def validate(spec: "dict[str, Any]", bundle: str, *, rootless: bool = False) -> "list[str]":
    """InvalidArgument when a container cannot be made of `spec`; else what is worth a warning."""
    from sampan.runtime.command import configlinux

    try:
        _check_version(spec.get("ociVersion"))
        _check_root(spec.get("root"), bundle)
        # Whoever creates a container without a process cannot start it (config.md, "Process"), nothing more.
        warnings = validate_process(spec["process"]) if spec.get("process") else []
        warnings += _check_mounts(spec.get("mounts") or [], rootless=rootless)
        _check_hooks(spec.get("hooks") or {})
        _check_annotations(spec.get("annotations") or {})
        configlinux.check(spec, rootless=rootless)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        # A number where a list belongs, a list without a mandatory field: the JSON is no config.json at all.
        raise InvalidArgument(f"invalid config.json: {type(error).__name__}: {error}") from error
    return warnings


def validate_process(process: "dict[str, Any] | None") -> "list[str]":
    """The `process` object alone, as `exec --process` brings it."""
    if not process:
        raise InvalidArgument("process property must not be empty")
    cwd = process.get("cwd")
    if not cwd:
        raise InvalidArgument("Cwd property must not be empty")
    if not cwd.startswith("/"):
        raise InvalidArgument("Cwd must be an absolute path")
    if not process.get("args"):
        raise InvalidArgument("args must not be empty")
    # Numbers are taken for what they look like, as crun takes them.
    process["args"] = [str(word) if type(word) is int else word for word in process["args"]]
    _check_texts("process.args", process["args"])
    _check_texts("process.env", process.get("env") or [])
    _check_user(process.get("user") or {})
    _check_rlimits(process.get("rlimits") or [])
    score = process.get("oomScoreAdj")
    if score is not None and not -1000 <= score <= 1000:
        raise InvalidArgument(f"invalid oomScoreAdj: {score} is not between -1000 and 1000")
    return _check_capabilities(process.get("capabilities") or {})


def _check_version(version: "str | None") -> None:
    if not version:
        raise InvalidArgument("ociVersion must be specified")
    numbers = version.partition("-")[0].partition("+")[0].split(".")
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        raise InvalidArgument(f"invalid ociVersion: {version!r} is no SemVer")
    if numbers[0] != "1":
        raise InvalidArgument(f"unsupported ociVersion: {version}")


def _check_root(root: "dict[str, Any] | None", bundle: str) -> None:
    if not root or not root.get("path"):
        raise InvalidArgument("root must be specified")
    path = os.path.join(bundle, root["path"])
    try:
        if not os.path.isdir(path):
            os.stat(path)
            raise InvalidArgument(f"invalid rootfs: {path} is no directory")
    except OSError as error:
        raise InvalidArgument(f"invalid rootfs: stat {path}: {(error.strerror or '').lower()}") from error


def _check_texts(name: str, values: "list[str]") -> None:
    for value in values:
        if not isinstance(value, str):
            raise InvalidArgument(f"{name}: {value!r} is no text")
        if "\0" in value:
            raise InvalidArgument(f"{name} contains a null byte")


def _check_user(user: "dict[str, Any]") -> None:
    numbers = [("uid", user.get("uid", 0)), ("gid", user.get("gid", 0))]
    numbers += [("additionalGids", number) for number in user.get("additionalGids") or ()]
    for name, number in numbers:
        if not 0 <= number < _ID_LIMIT:
            raise InvalidArgument(f"invalid process.user.{name}: {number}")


def _check_rlimits(rlimits: "list[dict[str, Any]]") -> None:
    seen = set()
    for limit in rlimits:
        kind = limit.get("type")
        if kind not in RLIMITS:
            raise InvalidArgument(f"wrong rlimit value: {kind}")
        if kind in seen:
            raise InvalidArgument(f"duplicate rlimit: {kind}")
        seen.add(kind)
        soft, hard = limit.get("soft", 0), limit.get("hard", 0)
        if not 0 <= soft < _RLIMIT_LIMIT or not 0 <= hard < _RLIMIT_LIMIT:
            raise InvalidArgument(f"invalid rlimit {kind}: soft {soft}, hard {hard}")
        if soft > hard:
            raise InvalidArgument(f"invalid rlimit {kind}: the soft limit {soft} is above the hard one {hard}")


def _check_capabilities(sets: "dict[str, Any]") -> "list[str]":
    from sampan.linux.capabilities import NUMBERS

    unknown: set[str] = set()
    for name in CAPABILITY_SETS:
        unknown.update(word for word in sets.get(name) or () if word not in NUMBERS)
    if not unknown:
        return []
    # "Runtimes SHOULD NOT fail if the container configuration requests capabilities that cannot be granted"
    return [f"ignoring unknown or unavailable capabilities: {' '.join(sorted(unknown))}"]


def _check_mounts(mounts: "list[dict[str, Any]]", *, rootless: bool) -> "list[str]":
    warnings = []
    for mount in mounts:
        target = mount.get("destination")
        if not target:
            raise InvalidArgument(f"invalid mount {mount}: it has no destination")
        if "\0" in f"{target}{mount.get('source') or ''}{mount.get('type') or ''}":
            raise InvalidArgument(f"invalid mount {mount}: mount field contains null byte")
        if not target.startswith("/"):
            warnings.append(f"mount destination {target} is not absolute; it is taken as relative to /")
        _check_texts(f"options of the mount on {target}", mount.get("options") or [])
        _check_mount(mount, mount.get("options") or [], rootless=rootless)
    return warnings


def _check_mount(mount: "dict[str, Any]", options: "list[str]", *, rootless: bool) -> None:
    is_bind = mount.get("type") == "bind" or "bind" in options or "rbind" in options
    if is_bind and not mount.get("source"):
        raise InvalidArgument(f"invalid mount {mount}: a bind mount needs a source")
    maps = mount.get("uidMappings"), mount.get("gidMappings")
    if not maps[0] and not maps[1]:
        return
    if not is_bind:
        raise InvalidArgument(f"invalid mount {mount}: id-mapped mounts are only supported for bind-mounts")
    if rootless:
        raise InvalidArgument(f"invalid mount {mount}: id-mapped mounts are not supported for rootless containers")
    if not maps[0] or not maps[1]:
        raise InvalidArgument(f"invalid mount {mount}: id-mapped mounts must have both uid and gid mappings specified")


def _check_hooks(hooks: "dict[str, Any]") -> None:
    for kind in HOOK_KINDS:
        for hook in hooks.get(kind) or ():
            path = hook.get("path") or ""
            if not path.startswith("/"):
                raise InvalidArgument(f"invalid {kind} hook: the path {path!r} is not absolute")
            timeout = hook.get("timeout")
            if timeout is not None and timeout <= 0:
                raise InvalidArgument(f"invalid {kind} hook {path}: timeout {timeout} is not greater than zero")
            _check_texts(f"args of the {kind} hook {path}", hook.get("args") or [])
            _check_texts(f"env of the {kind} hook {path}", hook.get("env") or [])


def _check_annotations(annotations: "dict[str, Any]") -> None:
    for name, value in annotations.items():
        if not name:
            raise InvalidArgument("invalid annotations: a key is empty")
        if not isinstance(value, str):
            raise InvalidArgument(f"invalid annotation {name}: its value is no text")
