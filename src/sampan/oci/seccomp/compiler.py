"""From a profile to a filter: for each ABI, which number gets which decision, and the search for it.

Layout      The program asks for the architecture, then searches the number in ranges of equal outcome, then tests
            arguments where rules have conditions. An architecture that the profile does not list: the thread is killed.
Newer calls A profile that refuses by default cannot know calls that are newer than itself. Programs try those and fall
            back on ENOSYS, but not on EPERM: numbers above the highest that the profile names get ENOSYS, as in runc
            (libcontainer/seccomp/patchbpf), unless the default lets calls through.
Invariants  Of two unconditional rules for a call the first holds; it also holds against all rules with conditions.
"""

import os

from sampan.oci.seccomp.abis import X32, X32_BIT, X86_64, Abi
from sampan.oci.seccomp.arguments import ALL_ONES, decision, narrowed, ordered
from sampan.oci.seccomp.numbers import numbers
from sampan.oci.seccomp.profile import ALLOW, ERRNO, KILL_THREAD, LOG, TRACE, Profile, native_abi
from sampan.oci.seccomp.program import ARCH, EQ, NR, Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.oci.seccomp.arguments import Condition, Rule

    Run = tuple[int, int]

ENOSYS = 38
_ACTION_MASK = 0xFFFF0000
_SKIP = 0xFFFFFFFF  # the number a tracer writes to have a call skipped: filters see it, too (seccomp(2))


class Filter:
    """A program for seccomp(2).

    program         an array of struct sock_filter; empty when the profile asks for no filter
    flags           SECCOMP_FILTER_FLAG_*, to be loaded with
    needs_listener  loading returns a descriptor that somebody must answer
    """

    __slots__ = ("flags", "needs_listener", "program")

    def __init__(self, program: bytes = b"", flags: int = 0, *, needs_listener: bool = False) -> None:
        self.program = program
        self.flags = flags
        self.needs_listener = needs_listener


def compile_filter(seccomp: "dict[str, Any]", machine: str = "", *, newer_calls: bool = True) -> Filter:
    """The filter of `linux.seccomp` for programs of `machine` (this one's name by default).

    `newer_calls` False leaves out ENOSYS for calls that the profile cannot know.
    """
    if not seccomp.get("defaultAction") and not seccomp.get("syscalls"):
        return Filter()
    profile = Profile(seccomp, native_abi(machine or os.uname().machine))
    program = Program()
    builder = _Builder(program, profile, newer_calls=newer_calls)
    root = program.verdict(KILL_THREAD)
    audits = list(dict.fromkeys(abi.audit for abi in profile.abis))
    for place, audit in reversed(list(enumerate(audits))):
        found = program.search(builder.runs(audit), word=NR)
        root = program.test(EQ, audit, found, root, word=ARCH if place == 0 else -1)
    return Filter(program.instructions(root), profile.flags, needs_listener=profile.needs_listener)


class _Builder:
    """Decisions by number."""

    __slots__ = ("_default", "_newer", "_profile", "_program")

    def __init__(self, program: Program, profile: Profile, *, newer_calls: bool) -> None:
        self._program = program
        self._profile = profile
        self._default = program.verdict(profile.default)
        lets_through = profile.default & _ACTION_MASK in (ALLOW, LOG, TRACE)
        self._newer = program.verdict(ERRNO | ENOSYS) if newer_calls and not lets_through else None

    def runs(self, audit: int) -> "list[Run]":
        """(first number, node) over all 32 bits."""
        abis = {abi.name: abi for abi in self._profile.abis if abi.audit == audit}
        if audit == X86_64.audit:
            return self._x86_64(has_x32=X32.name in abis) if X86_64.name in abis else self._x32()
        runs, newer = self._below(0, next(iter(abis.values())))
        return runs if newer is None else [*runs, newer]

    def _x86_64(self, *, has_x32: bool) -> "list[Run]":
        """Bit 30 makes a number x32's; the quarters of the range are: native, x32, neither, x32 again."""
        kill = self._program.verdict(KILL_THREAD)
        runs, newer = self._below(0, X86_64)
        beyond = newer[1] if newer else self._default if has_x32 else kill
        runs += [newer] if newer else []
        if not has_x32:
            return [*runs, (X32_BIT, kill), (2 * X32_BIT, beyond), (3 * X32_BIT, kill), (_SKIP, self._default)]
        others, newer = self._below(X32_BIT, X32)
        others += [newer] if newer else []
        return [*runs, *others, (2 * X32_BIT, beyond), (3 * X32_BIT, newer[1] if newer else self._default)]

    def _x32(self) -> "list[Run]":
        """A filter made for i386 that lets x32 in, but not x86_64."""
        runs, newer = self._below(X32_BIT, X32)
        runs += [newer] if newer else []
        last = newer[1] if newer else self._default
        return [(0, self._program.verdict(KILL_THREAD)), *runs, (2 * X32_BIT, self._default), (3 * X32_BIT, last)]

    def _below(self, first: int, abi: Abi) -> "tuple[list[Run], Run | None]":
        """The decisions of one ABI from its `first` number on, and where calls begin that are newer."""
        highest, decisions = self._decisions(abi)
        runs: list[Run] = []
        following = first
        for number in sorted(decisions):
            if number > following:
                runs.append((following, self._default))
            runs.append((number, self._decide(decisions[number], abi)))
            following = number + 1
        runs.append((following, self._default))
        if self._newer is None or highest == 0:
            return runs, None
        # What came by a multiplexer may lie higher: runc looks at these first, too.
        return [run for run in runs if run[0] <= highest], (highest + 1, self._newer)

    def _decide(self, found: "int | list[Rule]", abi: Abi) -> int:
        if isinstance(found, int):
            return self._program.verdict(found)
        rules = ordered(found, is_64_bit=abi.is_64_bit)
        return decision(self._program, rules, self._profile.default, is_64_bit=abi.is_64_bit)

    def _decisions(self, abi: Abi) -> "tuple[int, dict[int, int | list[Rule]]]":
        """The highest number that the profile names (0: none), and number to action or rules."""
        table, bit, operations = numbers(abi.table), abi.bit, abi.operations
        decisions: dict[int, int | list[Rule]] = {}
        highest = -1
        for group in self._profile.groups:
            always = group.alternatives == [()]
            for name in group.names:
                number = table.get(name, -1)
                if operations and name in operations:
                    if group.action is not None:
                        _add_multiplexed(decisions, operations[name], group.alternatives, group.action, abi)
                elif number > highest:
                    highest = number
                if number < 0 or group.action is None:
                    continue
                if not always:
                    _add(decisions, number | bit, group.alternatives, group.action, abi)
                elif not isinstance(decisions.get(number | bit), int):
                    decisions[number | bit] = group.action
        return highest | bit if highest >= 0 else 0, decisions


def _add_multiplexed(
    decisions: "dict[int, int | list[Rule]]",
    operation: "tuple[int, int]",
    alternatives: "list[tuple[Condition, ...]]",
    action: int,
    abi: Abi,
) -> None:
    """The first argument says which call it is; a condition on what the call's own first one was is lost."""
    multiplexer, number = operation
    told = (0, "EQ", number, ALL_ONES)
    rest = [(told, *(condition for condition in alternative if condition[0])) for alternative in alternatives]
    _add(decisions, multiplexer, rest, action, abi)


def _add(
    decisions: "dict[int, int | list[Rule]]",
    number: int,
    alternatives: "list[tuple[Condition, ...]]",
    action: int,
    abi: Abi,
) -> None:
    for alternative in alternatives:
        before = decisions.get(number)
        if isinstance(before, int):
            return
        tested = (narrowed(condition, is_64_bit=abi.is_64_bit) for condition in alternative)
        conditions = tuple(condition for condition in tested if condition is not None)
        if not conditions:
            decisions[number] = action
        elif before is None:
            decisions[number] = [(conditions, action)]
        elif (conditions, action) not in before:
            before.append((conditions, action))
