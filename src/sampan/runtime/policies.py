"""I/O priority, NUMA memory policy and personality of a process, from their places in the OCI config.

Errors      StageError, in runc's words.
Spec        runtime-spec 1.3, config.md "Linux Process" (ioPriority), config-linux.md "Memory policy", "Personality";
            ioprio_set(2), set_mempolicy(2), personality(2).
"""

from sampan.linux import scheduling as s
from sampan.runtime.affinity import parse_list
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

IO_CLASSES = {
    "IOPRIO_CLASS_RT": s.IOPRIO_CLASS_RT,
    "IOPRIO_CLASS_BE": s.IOPRIO_CLASS_BE,
    "IOPRIO_CLASS_IDLE": s.IOPRIO_CLASS_IDLE,
}
MEMORY_MODES = {
    "MPOL_DEFAULT": s.MPOL_DEFAULT,
    "MPOL_PREFERRED": s.MPOL_PREFERRED,
    "MPOL_BIND": s.MPOL_BIND,
    "MPOL_INTERLEAVE": s.MPOL_INTERLEAVE,
    "MPOL_LOCAL": s.MPOL_LOCAL,
    "MPOL_PREFERRED_MANY": s.MPOL_PREFERRED_MANY,
    "MPOL_WEIGHTED_INTERLEAVE": s.MPOL_WEIGHTED_INTERLEAVE,
}
MEMORY_FLAGS = {
    "MPOL_F_NUMA_BALANCING": s.MPOL_F_NUMA_BALANCING,
    "MPOL_F_RELATIVE_NODES": s.MPOL_F_RELATIVE_NODES,
    "MPOL_F_STATIC_NODES": s.MPOL_F_STATIC_NODES,
}
PERSONALITIES = {"LINUX": s.PER_LINUX, "LINUX32": s.PER_LINUX32}


def set_all(io: "Json | None", memory: "Json | None", personality: "Json | None") -> None:
    """Give the calling process those that are asked for."""
    if io is not None:
        set_io_priority(io)
    if memory is not None:
        set_memory_policy(memory)
    if personality is not None:
        set_personality(personality)


def check(io: "Json | None", memory: "Json | None", personality: "Json | None") -> "list[str]":
    """Refuse what cannot be meant; returns warnings."""
    if io is not None:
        io_priority(io)
    if memory is not None:
        memory_policy(memory)
    if personality is not None:
        persona_of(personality)
        if personality.get("flags"):
            return [f"ignoring unsupported personality flags: {personality['flags']}"]
    return []


def set_io_priority(priority: "Json") -> None:
    """`process.ioPriority`."""
    priority_class, level = io_priority(priority)
    try:
        s.ioprio_set(s.IOPRIO_WHO_PROCESS, 0, priority_class=priority_class, level=level)
    except OSError as error:
        raise StageError(f"failed to set io priority: {_reason(error)}") from error


def io_priority(priority: "Json") -> "tuple[int, int]":
    """`process.ioPriority` in the kernel's numbers: class and level."""
    name, level = priority.get("class") or "", priority.get("priority") or 0
    if not 0 <= level <= 7:
        raise StageError(f"invalid ioPriority.Priority: {level}")
    if name not in IO_CLASSES:
        raise StageError(f'invalid ioPriority.Class: "{name}"')
    return IO_CLASSES[name], level


def set_memory_policy(policy: "Json") -> None:
    """`linux.memoryPolicy`: which NUMA nodes give the memory (set_mempolicy(2))."""
    mode, mask = memory_policy(policy)
    try:
        s.set_mempolicy(mode, mask)
    except OSError as error:
        raise StageError(f"set_mempolicy: {_reason(error)}") from error


def memory_policy(policy: "Json") -> "tuple[int, bytes]":
    """`linux.memoryPolicy` in the kernel's numbers: mode with flags, and the mask of nodes."""
    mode = MEMORY_MODES.get(policy.get("mode") or "")
    if mode is None:
        raise StageError(f'invalid memory policy mode "{policy.get("mode") or ""}"')
    nodes = policy.get("nodes") or ""
    try:
        mask = parse_list(nodes)
    except ValueError as error:
        raise StageError(f'invalid memory policy nodes "{nodes}": {error}') from error
    count = int.from_bytes(mask, "little").bit_count()
    if mode in (s.MPOL_DEFAULT, s.MPOL_LOCAL) and count:
        raise StageError(f"memory policy mode requires 0 nodes but got {count}")
    if mode not in (s.MPOL_DEFAULT, s.MPOL_LOCAL, s.MPOL_PREFERRED) and not count:
        raise StageError("memory policy mode requires at least one node but got 0")
    for name in policy.get("flags") or ():
        if name not in MEMORY_FLAGS:
            raise StageError(f'invalid memory policy flag "{name}"')
        mode |= MEMORY_FLAGS[name]
    return mode, mask


def set_personality(personality: "Json") -> None:
    """`linux.personality`: which kernel uname(2) tells of."""
    persona = persona_of(personality)
    try:
        s.personality(persona)
    except OSError as error:
        raise StageError(f"personality to `{personality['domain']}`: {_reason(error)}") from error


def persona_of(personality: "Json") -> int:
    """The number of `linux.personality`'s domain."""
    domain = personality.get("domain") or ""
    if domain not in PERSONALITIES:
        raise StageError(f"invalid personality domain {domain}")
    return PERSONALITIES[domain]


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
