"""ABIs are told apart as the kernel does, and i386's multiplexers are known with their numbers."""

import pytest

from sampan.oci.seccomp.abis import AARCH64, ABIS, FAMILIES, FOREIGN, NATIVE, X32, X86, X86_64
from sampan.oci.seccomp.numbers import numbers


def test_x32_is_x86_64_to_the_audit_subsystem() -> None:
    assert X32.audit == X86_64.audit != X86.audit
    assert X86_64.is_64_bit and not X32.is_64_bit


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("socket", (102, 1)),
        ("recv", (102, 10)),
        ("sendmmsg", (102, 20)),
        ("semop", (117, 1)),
        ("semtimedop", (117, 4)),
        ("msgctl", (117, 14)),
        ("shmat", (117, 21)),
        ("shmctl", (117, 24)),
    ],
)
def test_operations_have_the_kernels_numbers(name: str, expected: tuple[int, int]) -> None:
    assert X86.operations[name] == expected


def test_multiplexers_are_those_of_the_table() -> None:
    assert {number for number, _ in X86.operations.values()} == {numbers("x86")["socketcall"], numbers("x86")["ipc"]}
    assert len(X86.operations) == 32
    assert not any(abi.operations for abi in ABIS.values() if abi is not X86)


def test_every_machine_has_a_family_and_no_foreign_name_is_ours() -> None:
    assert NATIVE["aarch64"] is AARCH64
    assert all(any(abi in family for family in FAMILIES) for abi in NATIVE.values())
    assert FOREIGN.isdisjoint(ABIS)
