"""Random seccomp profiles, and the calls at which they can differ.

`anything` draws from all that a profile may say. `sound` keeps to what libseccomp (2.5.4 to 2.6.1) compiles rightly,
one system call at a time (`families`). Its faults, each of which one can see in the program it makes:
    1. Two rules about one argument, one of them an inequality, or a rule about several arguments beside another one: a
       comparison is made with the half or argument that the rule before left in the accumulator.
    2. The same between system calls, where a comparison is shared that expects its argument to be loaded.
    3. The same when a call with conditions has no number on one of the architectures, or hardly any call has one.
    4. Of two NE about one 64-bit argument with different actions the wrong one wins when the high half differs.
"""

from collections.abc import Iterable
from random import Random
from typing import Any

from sampan.oci.seccomp.abis import ABIS, FAMILIES, NATIVE
from sampan.oci.seccomp.numbers import numbers

Json = dict[str, Any]

MACHINES = ("x86_64", "aarch64")
ACTIONS = tuple(
    f"SCMP_ACT_{name}" for name in "KILL KILL_THREAD KILL_PROCESS TRAP ERRNO TRACE LOG NOTIFY ALLOW".split()
)
OPERATORS = tuple(f"SCMP_CMP_{name}" for name in "EQ NE MASKED_EQ LT LE GE GT".split())
EXACT = OPERATORS[:3]
EVERYWHERE = "read close ioctl clone clone3 openat kexec_load execve execveat prctl futex fcntl ptrace openat2".split()
MULTIPLEXED = (
    "socket bind connect accept4 recvmmsg setsockopt sendmsg semop semget shmctl msgsnd socketcall ipc".split()
)
SOMEWHERE = "mmap mmap2 fcntl64 set_tls breakpoint arm_fadvise64_64 modify_ldt rt_sigaction uselib no_such_call".split()
NAMES = EVERYWHERE + MULTIPLEXED + SOMEWHERE
PLENTY = "getpid getppid getuid getgid geteuid getegid gettid uname sync chdir fchdir umask".split()
VALUES = (
    0, 1, 2, 5, 7, 40, 0xFFFFFFFF, 1 << 32, (1 << 32) + 5, 0x7E020000, (1 << 64) - 1, 1 << 63, 5 << 32, 1 << 31
)  # fmt: skip
SPECIAL_NUMBERS = (
    0x3FFFFFFF, 0x40000400, 0x7FFFFFFF, 0x80000000, 0xBFFFFFFF, 0xC0000000, 0xFFFFFFFE, 0xFFFFFFFF
)  # fmt: skip
ONES = (1 << 64) - 1


def anything(random: Random) -> Json:
    names = random.sample(NAMES, random.randint(1, 12))
    calls = []
    for _ in range(random.randint(1, 10)):
        count = random.choice((0, 1, 1, 2, 3))
        arguments = [_argument(random, random.randrange(6), OPERATORS) for _ in range(count)]
        calls.append(_call(random, random.sample(names, random.randint(1, min(4, len(names)))), arguments))
    return _profile(random, calls)


def sound(random: Random, names: list[str]) -> Json:
    """Among `names`, which libseccomp must know."""
    calls = []
    for name in random.sample(names, min(len(names), random.randint(3, 15))):
        shapes = ("always", "exact", "exact", "one", "one", "either") if name in EVERYWHERE else ("always",)
        calls += _shaped(random, name, random.choice(shapes))
    random.shuffle(calls)
    return _profile(random, calls)


def _shaped(random: Random, name: str, shape: str) -> list[Json]:
    if shape == "exact":
        operators, found = EXACT, []
        for _ in range(random.randint(1, 4)):
            found.append(_call(random, [name], [_argument(random, random.randrange(6), operators, both_halves=True)]))
            if found[-1]["args"][0]["op"].endswith("NE"):
                operators = tuple(operator for operator in EXACT if not operator.endswith("NE"))
        return found
    if shape == "one":
        indices = random.sample(range(6), random.randint(1, 3))
        return [_call(random, [name], [_argument(random, index, OPERATORS, both_halves=True) for index in indices])]
    if shape == "either":
        index = random.randrange(6)
        return [_call(random, [name], [_argument(random, index, EXACT, both_halves=True) for _ in range(2)])]
    return [_call(random, [name], [])]


def families(profile: Json) -> list[tuple[list[str], Json]]:
    """A profile for each system call alone, with many that have nothing to do with it; multiplexed ones go together."""
    plenty = "SCMP_ACT_TRAP" if profile["defaultAction"] == "SCMP_ACT_ALLOW" else "SCMP_ACT_ALLOW"
    named = dict.fromkeys(name for call in profile["syscalls"] for name in call["names"])
    groups = [[name] for name in named if name not in MULTIPLEXED]
    groups.append([name for name in named if name in MULTIPLEXED])
    found = []
    for group in filter(None, groups):
        calls = [call | {"names": [name]} for call in profile["syscalls"] for name in call["names"] if name in group]
        found.append((group, profile | {"syscalls": [*calls, {"names": PLENTY, "action": plenty}]}))
    return found


def _argument(random: Random, index: int, operators: tuple[str, ...], *, both_halves: bool = False) -> Json:
    found: Json = {"index": index, "op": random.choice(operators), "value": random.choice(VALUES)}
    if found["op"].endswith("MASKED_EQ"):
        found["valueTwo"] = random.choice(VALUES)
        if both_halves:
            found["value"] |= (1 << 32) + 1
    return found


def _call(random: Random, names: list[str], arguments: list[Json]) -> Json:
    found: Json = {"names": names, "action": random.choice(ACTIONS)}
    if random.random() < 0.3:
        found["errnoRet"] = random.choice((0, 1, 13, 38))
    if arguments:
        found["args"] = arguments
    return found


def _profile(random: Random, calls: list[Json]) -> Json:
    if random.random() < 0.5:
        # Most profiles have one action beside the default.
        action = random.choice(ACTIONS)
        calls = [
            {key: value for key, value in call.items() if key != "errnoRet"} | {"action": action} for call in calls
        ]
    found: Json = {
        "defaultAction": random.choice([name for name in ACTIONS if name != "SCMP_ACT_NOTIFY"]),
        "architectures": random.sample(sorted(ABIS), random.randint(0, len(ABIS))),
        "syscalls": calls,
    }
    if random.random() < 0.3:
        found["defaultErrnoRet"] = random.choice((1, 38))
    return found


def audits(machine: str) -> list[int]:
    """What `arch` can be there, and one that it cannot."""
    family = next(family for family in FAMILIES if NATIVE[machine] in family)
    return [*dict.fromkeys(abi.audit for abi in family), 0x1234]


def numbers_around(profile: Json) -> list[int]:
    """Each number that the profile names, on any ABI, and its neighbours."""
    found = {*SPECIAL_NUMBERS}
    for number in numbers_of([name for call in profile["syscalls"] for name in call["names"]]):
        found |= {number, number + 1, max(0, number - 1)}
    return sorted(found)


def numbers_of(names: Iterable[str], audit: int | None = None) -> set[int]:
    """Their numbers, and those of multiplexers that lead to them, on all ABIs or on those of one architecture."""
    found = set()
    for abi in ABIS.values():
        if audit in (None, abi.audit):
            table = numbers(abi.table)
            found |= {table[name] | abi.bit for name in names if name in table}
            found |= {abi.operations[name][0] for name in names if name in abi.operations}
    return found


def arguments_around(profile: Json, random: Random, *, extra: int = 30) -> list[tuple[int, ...]]:
    """Each compared value and its neighbours, in both halves, in its place; the other places at random."""
    places: list[set[int]] = [{0} for _ in range(6)]
    for call in profile["syscalls"]:
        for argument in call.get("args") or []:
            for value in (argument["value"], argument.get("valueTwo", 0)):
                near = (value, value - 1, value + 1, ~value, value ^ 1 << 32, value & 0xFFFFFFFF, value >> 32 << 32)
                places[argument["index"]] |= {each & ONES for each in (*near, (value >> 32) + 1 << 32, value | 1 << 40)}
    choices = [sorted(place) for place in places]
    found = [tuple(random.choice(choice) for choice in choices) for _ in range(extra)]
    for index, choice in enumerate(choices):
        for value in choice:
            drawn = [random.choice(other) for other in choices]
            drawn[index] = value
            found.append(tuple(drawn))
    return found
