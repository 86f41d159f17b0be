"""HostConfig.SecurityOpt: what the words ask for.

Later options win. `systempaths=unconfined` is no option here: clients turn it into MaskedPaths and ReadonlyPaths.
Errors      Internal, as with Docker (500), in its words.
Spec        moby daemon/daemon_unix.go, parseSecurityOpt.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sampan.errors import Internal

# Go's strconv.ParseBool
_TRUTH = {
    **dict.fromkeys("1 t T TRUE true True".split(), True),
    **dict.fromkeys("0 f F FALSE false False".split(), False),
}
NO_LABEL = "label=disable"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityOptions:
    """What was not said is None or "". `seccomp`: "builtin", "unconfined" or a profile's text; `apparmor`: a name."""

    no_new_privileges: bool | None = None
    writable_cgroups: bool | None = None
    seccomp: str = ""
    apparmor: str = ""
    labels: tuple[str, ...] = ()


def parse(options: Iterable[str] | None) -> SecurityOptions:
    no_new_privileges = writable_cgroups = None
    seccomp = apparmor = ""
    labels: list[str] = []
    for option in options or ():
        key, value = _split(option)
        if key == "label":
            labels.append(value)
        elif key == "apparmor":
            apparmor = value
        elif key == "seccomp":
            seccomp = value
        elif key == "no-new-privileges" and value in _TRUTH:
            no_new_privileges = _TRUTH[value]
        elif key == "writable-cgroups" and value in _TRUTH:
            writable_cgroups = _TRUTH[value]
        else:
            raise Internal(f"invalid --security-opt 2: {_quoted(option)}")
    return SecurityOptions(
        no_new_privileges=no_new_privileges,
        writable_cgroups=writable_cgroups,
        seccomp=seccomp,
        apparmor=apparmor,
        labels=tuple(labels),
    )


def _split(option: str) -> tuple[str, str]:
    if option in ("no-new-privileges", "writable-cgroups"):
        return option, "true"
    if option == "disable":
        return "label", option
    # ":" is the separator of old clients.
    key, separator, value = option.partition("=") if "=" in option else option.partition(":")
    if not separator:
        raise Internal(f"invalid --security-opt 1: {_quoted(option)}")
    return key, value


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def with_label(options: list[str] | None, *, shares_with_host: bool) -> list[str] | None:
    """Who shares processes or memory with the host cannot have a label of its own, unless one is asked for."""
    is_labelled = any(option.replace("=", ":").startswith("label:") for option in options or ())
    return options if is_labelled or not shares_with_host else [*(options or ()), NO_LABEL]
