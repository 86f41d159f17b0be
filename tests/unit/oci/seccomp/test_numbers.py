"""The tables of system calls are whole, and right where the kernel's headers can be asked."""

import re
from pathlib import Path

import pytest

from sampan.oci.seccomp.abis import ABIS, X32_BIT
from sampan.oci.seccomp.numbers import numbers

TABLES = ("x86_64", "x32", "x86", "aarch64", "arm")
HEADERS = {
    "x86_64": "x86_64-linux-gnu/asm/unistd_64.h",
    "x32": "x86_64-linux-gnu/asm/unistd_x32.h",
    "x86": "x86_64-linux-gnu/asm/unistd_32.h",
}


@pytest.mark.parametrize("table", TABLES)
def test_a_number_has_one_name(table: str) -> None:
    found = numbers(table)
    assert len(set(found.values())) == len(found) > 320
    assert all(re.fullmatch(r"[a-z_0-9]+", name) for name in found)


@pytest.mark.parametrize("table", TABLES)
def test_calls_since_linux_5_1_have_the_same_number_everywhere(table: str) -> None:
    newest = {
        "io_uring_setup": 425, "clone3": 435, "openat2": 437, "futex_waitv": 449, "cachestat": 451,
        "map_shadow_stack": 453, "statmount": 457, "listmount": 458, "lsm_list_modules": 461, "mseal": 462,
        "setxattrat": 463, "removexattrat": 466, "open_tree_attr": 467, "listns": 470,
    }  # fmt: skip
    assert newest.items() <= numbers(table).items()


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("x86_64", {"read": 0, "openat": 257, "uretprobe": 335, "memfd_secret": 447}),
        ("x32", {"read": 0, "ioctl": 514, "execve": 520, "pwritev2": 547, "openat": 257}),
        ("x86", {"restart_syscall": 0, "socketcall": 102, "socket": 359, "shmctl": 396, "clock_gettime64": 403}),
        ("aarch64", {"io_setup": 0, "openat": 56, "read": 63, "clone": 220, "memfd_secret": 447}),
        ("arm", {"restart_syscall": 0, "socket": 281, "arm_fadvise64_64": 270, "set_tls": 0xF0005}),
    ],
)
def test_each_architecture_has_its_own(table: str, expected: dict[str, int]) -> None:
    assert expected.items() <= numbers(table).items()


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("x32", "rt_sigreturn_old uselib set_thread_area nfsservctl"),
        ("x86_64", "socketcall ipc umount stime clock_gettime64 mmap2"),
        ("aarch64", "open fork pipe select socketcall getrlimit_old uretprobe"),
        ("arm", "memfd_secret socketcall_old sync_file_range2 usr27"),
    ],
)
def test_what_an_architecture_lacks_is_not_there(table: str, names: str) -> None:
    assert numbers(table).keys().isdisjoint(names.split())


@pytest.mark.parametrize("table", HEADERS)
def test_the_headers_of_this_machine_agree(table: str) -> None:
    path = Path("/usr/include") / HEADERS[table]
    if not path.exists():
        pytest.skip("no kernel headers here")
    pattern = r"#define __NR_(\w+)\s+(?:\(__X32_SYSCALL_BIT \+ )?(\d+)\)?"
    theirs = {name: int(number) for name, number in re.findall(pattern, path.read_text())}
    assert len(theirs) > 300
    assert theirs.items() <= numbers(table).items()


def test_only_x32_has_a_bit_of_its_own() -> None:
    assert {abi.name: abi.bit for abi in ABIS.values() if abi.bit} == {"SCMP_ARCH_X32": X32_BIT}
