"""Filters decide as the profile means, on every architecture; `support.seccompmodel` says what it means.

`tests/conformance/seccomp` compares with libseccomp.
"""

import subprocess
import sys
from random import Random
from typing import Any

import pytest

from sampan.engine.seccompdefault import default_profile
from sampan.oci.seccomp import Filter, compile_filter
from sampan.oci.seccomp.abis import AARCH64, ARM, X32_BIT, X86, X86_64
from sampan.oci.seccomp.numbers import numbers
from support.bpf import Machine, data
from support.seccompmodel import decide
from support.seccompprofiles import MACHINES, anything, arguments_around, audits, numbers_around

ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0
DOCKER_ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
SOCKETCALL = 102


def allowing(*names: str, default: str = "SCMP_ACT_ERRNO", **parts: Any) -> dict[str, Any]:
    return {"defaultAction": default, "syscalls": [{"names": list(names), "action": "SCMP_ACT_ALLOW"}], **parts}


def decided(profile: dict[str, Any], audit: int, number: int, *arguments: int, machine: str = "x86_64") -> int:
    return Machine(compile_filter(profile, machine).program).run(data(audit, number, arguments))


def docker() -> dict[str, Any]:
    """The default profile with every rule in it, as it comes to the compiler."""
    profile = default_profile()
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": 1,
        "architectures": DOCKER_ARCHITECTURES,
        "syscalls": [call for call in profile["syscalls"] if not call.get("includes", {}).get("caps")],
    }


@pytest.mark.parametrize("batch", range(10))
def test_random_profiles_decide_as_they_mean(batch: int) -> None:
    for seed in range(batch * 4, batch * 4 + 4):
        random = Random(seed)
        profile, machine = anything(random), random.choice(MACHINES)
        filter = Machine(compile_filter(profile, machine).program)
        arguments = arguments_around(profile, random, extra=10)
        for audit in audits(machine):
            for number in numbers_around(profile):
                for some in random.sample(arguments, 8):
                    expected = decide(profile, machine, audit, number, some)
                    assert filter.run(data(audit, number, some)) == expected, (seed, hex(audit), hex(number), some)


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_newer_than_the_profile_get_enosys_as_with_runc(machine: str) -> None:
    profile = docker() | ({"architectures": ["SCMP_ARCH_ARM"]} if machine == "aarch64" else {})
    filter = Machine(compile_filter(profile, machine).program)
    bare = Machine(compile_filter(profile, machine, newer_calls=False).program)
    named = {name for call in profile["syscalls"] for name in call["names"]}
    for abi in (X86_64, X86) if machine == "x86_64" else (AARCH64, ARM):
        table = numbers(abi.table)
        highest = max(table[name] for name in named if name in table and name not in abi.operations)
        for number in [*range(600), highest - 1, highest, highest + 1, 0x3FFFFFFF, 0x80000000]:
            call = data(abi.audit, number)
            assert filter.run(call) == (ENOSYS if number > highest else bare.run(call)), number


def test_x32_has_a_highest_number_of_its_own() -> None:
    profile = allowing("read", "pwritev2", architectures=["SCMP_ARCH_X32"])
    assert decided(profile, X86_64.audit, 328) == ALLOW
    assert decided(profile, X86_64.audit, 329) == ENOSYS
    assert decided(profile, X86_64.audit, X32_BIT + 546) == EPERM
    assert decided(profile, X86_64.audit, X32_BIT + 547) == ALLOW
    assert decided(profile, X86_64.audit, X32_BIT + 548) == ENOSYS
    assert decided(profile, X86_64.audit, 0xFFFFFFFF) == ENOSYS


@pytest.mark.parametrize("default", ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"])
def test_a_profile_that_lets_through_lets_newer_calls_through(default: str) -> None:
    profile = {"defaultAction": default, "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
    assert decided(profile, X86_64.audit, 5000) == decided(profile, X86_64.audit, 0)


def test_names_with_the_defaults_action_count_as_known() -> None:
    profile = allowing("read")
    profile["syscalls"].append({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"})
    assert decided(profile, X86_64.audit, numbers("x86_64")["mkdir"]) == EPERM
    assert decided(profile, X86_64.audit, numbers("x86_64")["mkdir"] + 1) == ENOSYS


def test_another_architecture_is_killed() -> None:
    profile = allowing("read", "execve")
    assert decided(profile, X86.audit, 3) == KILL
    assert decided(profile, AARCH64.audit, 63) == KILL
    assert decided(profile | {"architectures": ["SCMP_ARCH_X86"]}, X86.audit, 3) == ALLOW


def test_x32_is_killed_unless_listed_and_a_tracers_skip_is_not() -> None:
    profile = allowing("read", default="SCMP_ACT_KILL_PROCESS")
    assert decided(profile, X86_64.audit, X32_BIT) == KILL
    assert decided(profile, X86_64.audit, 0xFFFFFFFE) == KILL
    assert decided(profile, X86_64.audit, 0xFFFFFFFF) == 0x80000000
    listed = profile | {"architectures": ["SCMP_ARCH_X32"]}
    assert decided(listed, X86_64.audit, X32_BIT) == ALLOW


def test_the_first_rule_without_conditions_holds_against_all_others() -> None:
    condition = {"args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}
    calls = [("SCMP_ACT_LOG", condition), ("SCMP_ACT_ALLOW", {}), ("SCMP_ACT_TRAP", {}), ("SCMP_ACT_KILL", condition)]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["close"], "action": action, **more} for action, more in calls],
    }
    assert decided(profile, X86_64.audit, 3, 1) == decided(profile, X86_64.audit, 3, 2) == ALLOW


def test_a_multiplexer_above_all_named_numbers_is_newer_as_with_runc() -> None:
    profile = allowing("socket", "mknod", architectures=["SCMP_ARCH_X86"])
    assert decided(profile, X86.audit, SOCKETCALL, 1) == ENOSYS
    assert decided(profile, X86.audit, numbers("x86")["mknod"]) == ALLOW


def test_a_socket_call_of_i386_is_decided_behind_the_multiplexer_as_well() -> None:
    profile = allowing("socket", "recv", "mseal", architectures=["SCMP_ARCH_X86"])
    assert [decided(profile, X86.audit, SOCKETCALL, number) for number in (0, 1, 10, 11)] == [
        EPERM,
        ALLOW,
        ALLOW,
        EPERM,
    ]
    assert decided(profile, X86.audit, numbers("x86")["socket"]) == ALLOW


def test_unknown_names_are_skipped() -> None:
    assert compile_filter(allowing("read", "no_such_call")).program == compile_filter(allowing("read")).program


def test_a_profile_without_anything_is_no_filter() -> None:
    for profile in ({}, {"defaultAction": "", "syscalls": []}, {"syscalls": None}):
        assert compile_filter(profile).program == b""
    assert isinstance(compile_filter({}), Filter)


def test_dockers_profile_is_small() -> None:
    assert len(compile_filter(docker(), "x86_64").program) // 8 < 300
    assert len(compile_filter(docker() | {"architectures": ["SCMP_ARCH_ARM"]}, "aarch64").program) // 8 < 250


def test_flags_and_listener_are_told() -> None:
    found = compile_filter(
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
    )
    assert found.needs_listener and found.flags == 4 | 8
    assert not compile_filter(allowing("read")).needs_listener


def test_little_is_imported() -> None:
    program = "import sys; import sampan.oci.seccomp; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"re", "json", "enum", "typing", "dataclasses", "msgspec", "ctypes"}.isdisjoint(loaded)
