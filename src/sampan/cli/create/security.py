"""--security-opt: a seccomp profile is named by its file and sent as text; `systempaths` becomes two empty lists.

Errors      InvalidArgument, in docker's words.
Spec        docker/cli, cli/command/container/opts.go: parseSecurityOpts, parseSystemPaths.
"""

from sampan.base.jsonsyntax import compact
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PROFILES = ("builtin", "unconfined")
_OPEN_PATHS = "systempaths=unconfined"


def fields(options: "list[str]") -> "dict[str, Any]":
    """The fields of the HostConfig."""
    found: dict[str, Any] = {}
    sent = [_checked(option) for option in options]
    if _OPEN_PATHS in sent:
        found["MaskedPaths"] = []
        found["ReadonlyPaths"] = []
    kept = [option for option in sent if option != _OPEN_PATHS]
    if kept:
        found["SecurityOpt"] = kept
    return found


def _checked(option: str) -> str:
    # ":" is the separator of old.
    name, _, value = option.partition("=" if "=" in option else ":")
    if not value and name != "no-new-privileges":
        raise InvalidArgument(f'Invalid --security-opt: "{option}"')
    if name != "seccomp" or value in _PROFILES:
        return option
    return f"seccomp={_profile(value)}"


def _profile(path: str) -> str:
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as cause:
        reason = (cause.strerror or str(cause)).lower()
        verb = "read" if isinstance(cause, IsADirectoryError) else "open"
        raise InvalidArgument(f"opening seccomp profile ({path}) failed: {verb} {path}: {reason}") from cause
    try:
        return compact(text).decode("utf-8", "surrogateescape")
    except ValueError as cause:
        raise InvalidArgument(f"compacting json for seccomp profile ({path}) failed: {cause}") from cause
