"""Profiles are checked in runc's words, and read in runc's sense."""

from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.oci.seccomp.abis import AARCH64, ARM, X32, X86, X86_64
from sampan.oci.seccomp.arguments import ALL_ONES
from sampan.oci.seccomp.profile import (
    ALLOW,
    ERRNO,
    KILL_PROCESS,
    KILL_THREAD,
    LOG,
    NOTIFY,
    TRACE,
    TRAP,
    Profile,
    native_abi,
)


def profile(machine: str = "x86_64", **parts: Any) -> Profile:
    return Profile({"defaultAction": "SCMP_ACT_ALLOW", **parts}, native_abi(machine))


def call(action: str = "SCMP_ACT_ERRNO", names: tuple[str, ...] = ("mkdir",), **parts: Any) -> list[dict[str, Any]]:
    return [{"names": list(names), "action": action, **parts}]


@pytest.mark.parametrize(
    ("name", "errno", "expected"),
    [
        ("KILL", None, KILL_THREAD),
        ("KILL_THREAD", None, KILL_THREAD),
        ("KILL_PROCESS", None, KILL_PROCESS),
        ("TRAP", 7, TRAP),
        ("ERRNO", None, ERRNO | 1),
        ("ERRNO", 0, ERRNO),
        ("ERRNO", 38, ERRNO | 38),
        ("TRACE", None, TRACE | 1),
        ("TRACE", 3, TRACE | 3),
        ("LOG", None, LOG),
    ],
)
def test_actions_have_the_kernels_values(name: str, errno: int | None, expected: int) -> None:
    found = profile(syscalls=call(f"SCMP_ACT_{name}", errnoRet=errno))
    assert found.groups[0].action == expected
    assert profile(defaultAction=f"SCMP_ACT_{name}", defaultErrnoRet=errno).default == expected


def test_a_rule_of_the_defaults_action_says_nothing() -> None:
    assert profile(syscalls=call("SCMP_ACT_ALLOW")).groups[0].action is None
    both = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 2}
    assert profile(**both, syscalls=call(errnoRet=2)).groups[0].action is None
    assert profile(**both, syscalls=call()).groups[0].action == ERRNO | 1


def test_conditions_on_different_arguments_go_together_and_on_one_argument_apart() -> None:
    arguments = [{"index": 1, "value": 5, "op": "SCMP_CMP_GT"}, {"index": 0, "value": 3, "op": "SCMP_CMP_EQ"}]
    equal, greater = (0, "EQ", 3, ALL_ONES), (1, "GT", 5, ALL_ONES)
    assert profile(syscalls=call(args=arguments)).groups[0].alternatives == [(equal, greater)]
    arguments.append({"index": 1, "value": 6, "valueTwo": 4, "op": "SCMP_CMP_MASKED_EQ"})
    masked = (1, "MASKED_EQ", 4, 6)
    assert profile(syscalls=call(args=arguments)).groups[0].alternatives == [(greater,), (equal,), (masked,)]


def test_the_native_abi_is_always_there_and_foreign_ones_never() -> None:
    assert profile().abis == [X86_64]
    assert profile(architectures=["SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_ARM"]).abis == [X86_64, X32, X86]
    assert profile("aarch64", architectures=["SCMP_ARCH_ARM", "SCMP_ARCH_S390X"]).abis == [AARCH64, ARM]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (None, 4),
        ([], 0),
        (["SECCOMP_FILTER_FLAG_TSYNC"], 0),
        (["SECCOMP_FILTER_FLAG_LOG"], 2),
        (["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"], 6),
        (["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], 32),
    ],
)
def test_flags_are_what_is_asked_for_and_speculation_when_nothing_is(flags: list[str] | None, expected: int) -> None:
    assert profile(flags=flags).flags == expected
    assert profile(flags=flags, syscalls=call("SCMP_ACT_NOTIFY")).flags == expected | 8


def test_notify_needs_a_listener() -> None:
    assert profile(syscalls=call("SCMP_ACT_NOTIFY")).groups[0].action == NOTIFY
    assert profile(syscalls=call("SCMP_ACT_NOTIFY")).needs_listener
    assert not profile(syscalls=call()).needs_listener
    assert profile(defaultAction="SCMP_ACT_LOG", syscalls=call("SCMP_ACT_ALLOW")).groups[0].action == ALLOW


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"defaultAction": "SCMP_ACT_FOO"}, "string SCMP_ACT_FOO is not a valid action for seccomp"),
        ({"defaultAction": None, "syscalls": call()}, "string  is not a valid action for seccomp"),
        ({"syscalls": call("X")}, "string X is not a valid action for seccomp"),
        ({"flags": ["X"]}, "seccomp flag X is not known"),
        ({"architectures": ["X"]}, "string X is not a valid arch for seccomp"),
        (
            {"syscalls": call(args=[{"index": 0, "value": 1, "op": "EQ"}])},
            "string EQ is not a valid operator for seccomp",
        ),
        (
            {"syscalls": call(args=[{"index": 9, "value": 1, "op": "SCMP_CMP_EQ"}])},
            "syscalls only have up to 6 arguments (9 given)",
        ),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "SCMP_ACT_NOTIFY cannot be used as default action"),
        (
            {"syscalls": call("SCMP_ACT_NOTIFY", ("read", "write"))},
            "SCMP_ACT_NOTIFY cannot be used for the write syscall",
        ),
        ({"syscalls": call(names=("",))}, "empty string is not a valid syscall"),
    ],
)
def test_what_cannot_be_meant_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        profile(**parts)
    assert str(caught.value) == message


def test_an_unknown_machine_has_no_numbers() -> None:
    with pytest.raises(InvalidArgument, match="no system call numbers are known for the architecture vax"):
        native_abi("vax")
