"""Which CPUs a process may run on, and the lists in which CPUs and NUMA nodes are written.

An exec may ask for two sets of CPUs, one until it is in the container's cgroup and one from then on.

Errors      StageError in runc's words; ValueError for a list.
Spec        runtime-spec 1.2.1, config.md "Linux Process", execCPUAffinity.
"""

from sampan.linux.syscalls import sched_setaffinity
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

_MAX_INDEX = 64 * 1024  # of a CPU or node in a list: a limit of sense, which runc has as well


def set_initial(affinity: "Json") -> None:
    """`execCPUAffinity.initial`: where an exec runs until it is in the container's cgroup."""
    mask = _mask(affinity, "initial")
    if mask:
        _set(mask, "initial")


def set_final(affinity: "Json") -> None:
    """`execCPUAffinity.final`; without it the initial one stays."""
    mask = _mask(affinity, "final")
    if mask:
        _set(mask, "final")


def check(affinity: "Json") -> None:
    """Refuse lists that are none."""
    _mask(affinity, "initial")
    _mask(affinity, "final")


def _set(mask: bytes, name: str) -> None:
    try:
        sched_setaffinity(0, mask)
    except OSError as error:
        raise StageError(
            f"error setting {name} CPU affinity: sched_setaffinity: {(error.strerror or '').lower()}"
        ) from error


def _mask(affinity: "Json", name: str) -> bytes:
    try:
        return parse_list(affinity.get(name) or "")
    except ValueError as error:
        raise StageError(f"bad CPUAffinity.{name.capitalize()}: {error}") from error


def parse_list(text: str) -> bytes:
    """The mask of a list of CPUs or nodes such as "0-3,5" (cpuset(7), "List format"); empty for an empty text."""
    found = 0
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first and not dash:
            continue
        start = _index(first)
        end = _index(last) if dash else start
        if start > end:
            raise ValueError(f"invalid range: {part.strip()}")
        found |= (1 << end - start + 1) - 1 << start
    if text and not found:
        raise ValueError(f'no members found in set "{text}"')
    return found.to_bytes((found.bit_length() + 63) // 64 * 8, "little")


def _index(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'parsing "{text}": invalid syntax')
    if len(text) > 9 or int(text) > _MAX_INDEX:
        raise ValueError(f'parsing "{text}": values larger than {_MAX_INDEX} are not supported')
    return int(text)
