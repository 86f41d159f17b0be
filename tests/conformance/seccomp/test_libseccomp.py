"""The compiler decides as libseccomp does: for every number on Docker's profile, around all edges on random ones.

Both programs run in `support.bpf`, so no root is needed. ENOSYS for newer calls, which libseccomp knows nothing of, is
left out here; `tests/unit/oci/seccomp/test_compiler.py` has it.
"""

import functools
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sampan.api.wire.host import HostConfig
from sampan.engine.host import HostFacts
from sampan.engine.seccomp import seccomp_of
from sampan.linux.capabilities import NAMES as CAPABILITIES
from sampan.oci.seccomp import compile_filter
from sampan.oci.seccomp.abis import ABIS, Abi
from sampan.oci.seccomp.numbers import numbers
from support.bpf import Machine, data
from support.libseccomp import Libseccomp
from support.seccompprofiles import (
    MACHINES,
    NAMES,
    SPECIAL_NUMBERS,
    arguments_around,
    audits,
    families,
    numbers_of,
    sound,
)

pytestmark = pytest.mark.needs_libseccomp

Json = dict[str, Any]

NUMBERS = [*range(620), *range(0x40000000, 0x40000000 + 620), *range(0xF0000, 0xF0010), *SPECIAL_NUMBERS]
BATCHES, BATCH = 20, 20


@functools.cache
def witness() -> Libseccomp:
    return Libseccomp()


def is_known_alike(name: str, abi: Abi) -> bool:
    """Whether this release of the library has our number: older ones lack what is newer."""
    number = numbers(abi.table).get(name)
    theirs = witness().number(abi.name, name)
    if name in abi.operations:
        return witness().knows(name)
    return theirs < 0 if number is None else theirs == number | abi.bit


@functools.cache
def is_known(name: str) -> bool:
    return all(is_known_alike(name, abi) for abi in ABIS.values())


def docker_profile(capabilities: list[str], machine: str) -> Json:
    facts = HostFacts(hostname="x", has_seccomp=True, machine=machine, kernel=(6, 1))
    profile = seccomp_of(HostConfig(), capabilities, facts)
    assert profile is not None
    calls = [call | {"names": [name for name in call["names"] if is_known(name)]} for call in profile["syscalls"]]
    return profile | {"syscalls": calls}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("capabilities", [[], ["CAP_SYS_ADMIN"], CAPABILITIES], ids=["none", "admin", "all"])
def test_dockers_profile_decides_alike_on_every_number(machine: str, capabilities: list[str]) -> None:
    profile = docker_profile(capabilities, machine)
    ours = Machine(compile_filter(profile, machine, newer_calls=False).program)
    theirs = Machine(witness().compile(profile, machine))
    arguments = arguments_around(profile, Random(machine), extra=5)
    for audit in audits(machine):
        for number in NUMBERS:
            for some in arguments[:: 1 + len(arguments) // 20]:
                call = data(audit, number, some)
                assert ours.run(call) == theirs.run(call), (hex(audit), hex(number), [hex(value) for value in some])


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_with_conditions_decide_alike_on_all_their_edges(machine: str) -> None:
    profile = docker_profile([], machine)
    ours = Machine(compile_filter(profile, machine, newer_calls=False).program)
    theirs = Machine(witness().compile(profile, machine))
    arguments = arguments_around(profile, Random(machine), extra=200)
    for audit in audits(machine):
        for number in numbers_of(["socket", "personality", "clone", "clone3", "socketcall"], audit):
            for some in arguments:
                call = data(audit, number, some)
                assert ours.run(call) == theirs.run(call), (hex(audit), hex(number), [hex(value) for value in some])


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_profiles_decide_alike(batch: int) -> None:
    names = [name for name in NAMES if is_known(name)]
    compared = sum(compare(Random(seed), names) for seed in range(batch * BATCH, (batch + 1) * BATCH))
    assert compared > BATCH


def compare(random: Random, names: list[str]) -> int:
    """How many system calls of a random profile could be compared: some profiles the library refuses."""
    profile, machine = sound(random, names), random.choice(MACHINES)
    ours = Machine(compile_filter(profile, machine, newer_calls=False).program)
    arguments = arguments_around(profile, random)
    found = 0
    for group, alone in families(profile):
        try:
            theirs = Machine(witness().compile(alone, machine))
        except FileExistsError:
            continue  # it takes no two actions for what it sees as the same conditions
        found += 1
        for audit in audits(machine):
            for number in sorted({*numbers_of(group, audit), *SPECIAL_NUMBERS}):
                for some in arguments[:1] if number in SPECIAL_NUMBERS else arguments:
                    call = data(audit, number, some)
                    where = (json.dumps(alone), machine, hex(audit), hex(number), [hex(value) for value in some])
                    assert ours.run(call) == theirs.run(call), where
    return found


def test_our_numbers_are_the_librarys() -> None:
    """Where both have one; a few names that only one of them knows yet are no fault of the other."""
    for abi in ABIS.values():
        both = [name for name in numbers(abi.table) if witness().number(abi.name, name) >= 0]
        assert len(both) > 300 and all(is_known_alike(name, abi) for name in both)


def test_the_golden_file_is_what_is_compared() -> None:
    golden = Path(__file__).parents[2] / "unit/engine/golden_seccomp/docker-28.5.json"
    always = " ".join(json.loads(golden.read_text())["always"]).split()
    assert sum(map(is_known, always)) > 0.9 * len(always)
