"""What a seccomp profile means, said as plainly as possible: the reference for the compiler on any profile.

A profile is a pure function from a call to an action. This reads the profile anew for each call, compares whole numbers
and knows nothing of halves, ranges or programs. Where rules of different actions overlap, the order is libseccomp's,
taken from `sampan.oci.seccomp.arguments.ordered`, which has its own tests.
"""

from typing import Any

from sampan.oci.seccomp.abis import ABIS, NATIVE, X32, X32_BIT, X86_64, Abi
from sampan.oci.seccomp.arguments import ordered
from sampan.oci.seccomp.numbers import numbers

Json = dict[str, Any]
Condition = tuple[int, str, int, int]

KILL = 0
ENOSYS = 0x00050000 | 38
_ACTIONS = {
    "KILL": 0,
    "KILL_THREAD": 0,
    "KILL_PROCESS": 0x80000000,
    "TRAP": 0x00030000,
    "ERRNO": 0x00050000,
    "NOTIFY": 0x7FC00000,
    "TRACE": 0x7FF00000,
    "LOG": 0x7FFC0000,
    "ALLOW": 0x7FFF0000,
}
_LETS_THROUGH = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")


def action(name: str, errno: int | None) -> int:
    bare = name.removeprefix("SCMP_ACT_")
    return _ACTIONS[bare] | ((1 if errno is None else errno) if bare in ("ERRNO", "TRACE") else 0)


def decide(
    profile: Json, machine: str, audit: int, number: int, arguments: tuple[int, ...], *, newer_calls: bool = True
) -> int:
    """The action for a call."""
    default = action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    listed = {NATIVE[machine].name, *(profile.get("architectures") or [])}
    abis = [abi for name, abi in ABIS.items() if name in listed and abi.audit == audit]
    if newer_calls and profile["defaultAction"] not in _LETS_THROUGH:
        for abi in abis:
            highest = _highest(profile, abi)
            if highest and number > highest and (audit != X86_64.audit or bool(number & X32_BIT) == (abi is X32)):
                return ENOSYS
    if not abis:
        return KILL
    if abis == [X86_64] and number >= X32_BIT:
        return default if number == 0xFFFFFFFF else KILL
    if abis == [X32] and number < X32_BIT:
        return KILL
    abi = X32 if X32 in abis and number >= X32_BIT else abis[0]
    return _decide(profile, abi, number, arguments, default)


def _highest(profile: Json, abi: Abi) -> int:
    names = {name for call in profile["syscalls"] for name in call["names"]}
    table = numbers(abi.table)
    return max((table[name] | abi.bit for name in names if name in table and name not in abi.operations), default=0)


def _decide(profile: Json, abi: Abi, number: int, arguments: tuple[int, ...], default: int) -> int:
    rules = [rule for rule in _rules(profile, abi, number) if rule[1] != default]
    for conditions, verdict in rules:
        if not conditions:
            return verdict
    for conditions, verdict in ordered(rules, is_64_bit=abi.is_64_bit) if rules else ():
        if all(_holds(condition, arguments, is_64_bit=abi.is_64_bit) for condition in conditions):
            return verdict
    return default


def _rules(profile: Json, abi: Abi, number: int) -> list[tuple[tuple[Condition, ...], int]]:
    """(conditions that say something, action) of the rules about a number."""
    found: list[tuple[tuple[Condition, ...], int]] = []
    for call in profile["syscalls"]:
        verdict = action(call["action"], call.get("errnoRet"))
        conditions = [_condition(argument) for argument in call.get("args") or []]
        together = [tuple(sorted(conditions))]
        if len({condition[0] for condition in conditions}) < len(conditions):
            together = [(condition,) for condition in conditions]
        for name in call["names"]:
            way, direct = abi.operations.get(name), numbers(abi.table).get(name)
            for some in together:
                if way is not None and way[0] == number:
                    told = (0, "EQ", way[1], (1 << 64) - 1)
                    found.append(((told, *(each for each in some if each[0])), verdict))
                if direct is not None and direct | abi.bit == number:
                    found.append((some, verdict))
    ones = (1 << 64) - 1 if abi.is_64_bit else (1 << 32) - 1
    return [
        (tuple((i, op, value & mask & ones, mask & ones) for i, op, value, mask in some if mask & ones), verdict)
        for some, verdict in found
    ]


def _condition(argument: Json) -> Condition:
    operator = argument["op"].removeprefix("SCMP_CMP_")
    if operator == "MASKED_EQ":
        return argument["index"], operator, argument.get("valueTwo", 0), argument["value"]
    return argument["index"], operator, argument["value"], (1 << 64) - 1


def _holds(condition: Condition, arguments: tuple[int, ...], *, is_64_bit: bool) -> bool:
    index, operator, value, mask = condition
    has = (arguments[index] if index < len(arguments) else 0) & mask
    if not is_64_bit:
        has &= (1 << 32) - 1
    return {
        "NE": has != value,
        "LT": has < value,
        "LE": has <= value,
        "EQ": has == value,
        "GE": has >= value,
        "GT": has > value,
        "MASKED_EQ": has == value,
    }[operator]
