"""The system call filter of a config, compiled."""

from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.filter import Filter

# crun's annotation: a name in a profile that nobody knows is an error.
FAIL_UNKNOWN = "run.oci.seccomp_fail_unknown_syscall"


def seccomp_filter(spec: "dict[str, Any]") -> "Filter | None":
    """The compiled filter of a config."""
    seccomp = (spec.get("linux") or {}).get("seccomp")
    if not seccomp:
        return None
    from sampan.oci.seccomp import compile_filter
    from sampan.runtime.filter import Filter

    if (spec.get("annotations") or {}).get(FAIL_UNKNOWN) not in (None, "0"):
        _refuse_unknown(seccomp)
    found = compile_filter(seccomp)
    if found.needs_listener and not seccomp.get("listenerPath"):
        raise InvalidArgument("seccomp: SCMP_ACT_NOTIFY needs a listenerPath")
    return Filter.of(seccomp, found.program, found.flags)


def _refuse_unknown(seccomp: "dict[str, Any]") -> None:
    from sampan.oci.seccomp.numbers import is_known

    for group in seccomp.get("syscalls") or []:
        for name in group.get("names") or []:
            if not is_known(name):
                raise InvalidArgument(f"seccomp: unknown system call {name}")
