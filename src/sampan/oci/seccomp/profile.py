"""`linux.seccomp` of an OCI config, checked and brought into the compiler's terms.

Invariants  A rule whose action is the default's is not kept: it says nothing. Its names still count as known to the
            profile (`Group.action` is None), which matters for calls that are newer (`compiler`).
Errors      InvalidArgument: an unknown action, operator, flag or architecture, a bad argument index, and NOTIFY where
            nobody could answer: as default, or for write(2), by which the runtime itself tells of the listener.
Spec        runtime-spec 1.2, config-linux.md "Seccomp"; what it leaves open is as in runc (libcontainer/seccomp).
"""

from sampan.errors import InvalidArgument
from sampan.oci.seccomp.abis import ABIS, FAMILIES, FOREIGN, NATIVE, Abi
from sampan.oci.seccomp.arguments import ALL_ONES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.oci.seccomp.arguments import Condition

EPERM = 1

KILL_PROCESS = 0x80000000
KILL_THREAD = 0x00000000
TRAP = 0x00030000
ERRNO = 0x00050000
NOTIFY = 0x7FC00000
TRACE = 0x7FF00000
LOG = 0x7FFC0000
ALLOW = 0x7FFF0000

ACTIONS = {
    "SCMP_ACT_KILL": KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
    "SCMP_ACT_TRAP": TRAP,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_TRACE": TRACE,
    "SCMP_ACT_LOG": LOG,
    "SCMP_ACT_NOTIFY": NOTIFY,
    "SCMP_ACT_ALLOW": ALLOW,
}
OPERATORS = {f"SCMP_CMP_{name}": name for name in "NE LT LE EQ GE GT MASKED_EQ".split()}
NEW_LISTENER = 1 << 3
SPEC_ALLOW = 1 << 2
FLAGS = {
    # Nothing to synchronise: who loads a filter here has one thread.
    "SECCOMP_FILTER_FLAG_TSYNC": 0,
    "SECCOMP_FILTER_FLAG_LOG": 1 << 1,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 1 << 5,
}
ARGUMENTS = 6


class Group:
    """Names that share an action and the conditions for it; each of `alternatives` is enough, an empty one always."""

    __slots__ = ("action", "alternatives", "names")

    def __init__(self, names: "list[str]", action: "int | None", alternatives: "list[tuple[Condition, ...]]") -> None:
        self.names = names
        self.action = action
        self.alternatives = alternatives


class Profile:
    """A whole profile; `native` is among `abis`."""

    __slots__ = ("abis", "default", "flags", "groups", "native", "needs_listener")

    def __init__(self, seccomp: "dict[str, Any]", native: Abi) -> None:
        self.native = native
        self.default = _action(seccomp.get("defaultAction"), seccomp.get("defaultErrnoRet"))
        if self.default == NOTIFY:
            raise InvalidArgument("SCMP_ACT_NOTIFY cannot be used as default action")
        self.abis = _abis(seccomp.get("architectures") or [], native)
        self.groups = [_group(found, self.default) for found in seccomp.get("syscalls") or []]
        self.needs_listener = any(group.action == NOTIFY and group.names for group in self.groups)
        self.flags = _flags(seccomp.get("flags")) | (NEW_LISTENER if self.needs_listener else 0)


def native_abi(machine: str) -> Abi:
    """The ABI of programs made for a machine."""
    found = NATIVE.get(machine)
    if found is None:
        raise InvalidArgument(f"no system call numbers are known for the architecture {machine}")
    return found


def _action(name: object, errno: "int | None") -> int:
    action = ACTIONS.get(name) if isinstance(name, str) else None
    if action is None:
        raise InvalidArgument(f"string {name or ''} is not a valid action for seccomp")
    if action in (ERRNO, TRACE):
        return action | (EPERM if errno is None else errno & 0xFFFF)
    return action


def _flags(names: "list[str] | None") -> int:
    if names is None:
        # Without it every process would pay for speculative store bypass (runtime-spec leaves the default open).
        return SPEC_ALLOW
    found = 0
    for name in names:
        if name not in FLAGS:
            raise InvalidArgument(f"seccomp flag {name} is not known")
        found |= FLAGS[name]
    return found


def _abis(names: "list[str]", native: Abi) -> "list[Abi]":
    """What the machine can meet of what is named; the native one always."""
    for name in names:
        if name not in ABIS and name not in FOREIGN:
            raise InvalidArgument(f"string {name} is not a valid arch for seccomp")
    family = next(family for family in FAMILIES if native in family)
    return [abi for abi in family if abi is native or abi.name in names]


def _group(found: "dict[str, Any]", default: int) -> Group:
    names, arguments = found.get("names") or [], found.get("args") or []
    action = _action(found.get("action"), found.get("errnoRet"))
    if action == NOTIFY and "write" in names:
        raise InvalidArgument("SCMP_ACT_NOTIFY cannot be used for the write syscall")
    if "" in names:
        raise InvalidArgument("empty string is not a valid syscall")
    conditions = [_condition(argument) for argument in arguments]
    indices = {condition[0] for condition in conditions}
    if len(indices) < len(conditions):
        # Two conditions on one argument cannot be asked of libseccomp at once; runc then asks for either.
        alternatives: list[tuple[Condition, ...]] = [(condition,) for condition in conditions]
    else:
        alternatives = [tuple(sorted(conditions))]
    return Group(names, None if action == default else action, alternatives)


def _condition(argument: "dict[str, Any]") -> "Condition":
    index, name = argument.get("index", 0), argument.get("op")
    operator = OPERATORS.get(name) if isinstance(name, str) else None
    if operator is None:
        raise InvalidArgument(f"string {name or ''} is not a valid operator for seccomp")
    if not 0 <= index < ARGUMENTS:
        raise InvalidArgument(f"syscalls only have up to {ARGUMENTS} arguments ({index} given)")
    value, second = argument.get("value", 0) & ALL_ONES, argument.get("valueTwo", 0) & ALL_ONES
    return (index, operator, second, value) if operator == "MASKED_EQ" else (index, operator, value, ALL_ONES)
