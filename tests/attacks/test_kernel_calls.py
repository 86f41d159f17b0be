"""System calls that reach into the kernel or the machine: stopped by capabilities, and by the filter before those."""

import os
from collections.abc import Callable

import pytest

from support.attacks import UNCONFINED, Arena, both, expect, without_seccomp

# program: the capability that it takes
PRIVILEGED_CALLS = {
    "read_log": "SYSLOG",
    "load_module": "SYS_MODULE",
    "load_kernel": "SYS_BOOT",
    "reboot": "SYS_BOOT",
    "swap": "SYS_ADMIN",
    "account": "SYS_PACCT",
    "set_time_zone": "SYS_TIME",
    "io_ports": "SYS_RAWIO",
    "rename_host": "SYS_ADMIN",
    "watch_files": "SYS_ADMIN",
    "bpf": "SYS_ADMIN",
    "perf": "SYS_ADMIN",
}
# What needs no capability: the filter alone stops it.
FILTERED_CALLS = "page_faults rings personality host_socket keys".split()
OTHER_TABLES = "keys_as_x32 keys_as_i386".split()


def skip_unknown(detail: str) -> None:
    """Skip where the kernel does not have the call at all, and nothing can be shown."""
    for text in ("Function not implemented", "Address family not supported"):
        if text in detail:
            pytest.skip(f"this kernel does not have it: {detail}")


@both
@pytest.mark.parametrize("program", PRIVILEGED_CALLS)
def test_privileged_calls_are_refused(arena: Arena, protected: bool, program: str) -> None:
    """Read the kernel's log; load a module or another kernel; reboot; swap; account; set the clock; use I/O ports;
    rename the host; watch all files; load BPF; trace a processor. (Each call is made so that it does no harm.)"""
    host = None if protected else without_seccomp(PRIVILEGED_CALLS[program])
    verdict = arena.attack(f"kernelcalls.{program}", host=host)
    if not protected:
        skip_unknown(verdict.detail)
    expect(verdict, protected=protected)


@both
@pytest.mark.parametrize("program", FILTERED_CALLS)
def test_dangerous_calls_are_filtered(arena: Arena, protected: bool, program: str) -> None:
    """Calls that the kernel gives to everybody and that its bugs have been reached by: userfaultfd, io_uring,
    personality, vsock, keyrings (which no namespace separates)."""
    verdict = arena.attack(f"kernelcalls.{program}", host=None if protected else UNCONFINED)
    if not protected:
        skip_unknown(verdict.detail)
    expect(verdict, protected=protected)


@both
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x86 alone has three tables of system calls")
@pytest.mark.parametrize("program", OTHER_TABLES)
def test_the_filter_knows_the_other_call_tables(arena: Arena, protected: bool, program: str) -> None:
    """Go around the filter: make a filtered call by its number in the x32 or the i386 table."""
    verdict = arena.attack(f"kernelcalls.{program}", host=None if protected else UNCONFINED)
    if not protected:
        skip_unknown(verdict.detail)
    expect(verdict, protected=protected)


@both
def test_a_raw_call_in_an_exec_is_filtered_too(arena: Arena, protected: bool) -> None:
    """The filter holds for what joins the container later: keyrings again, by `docker exec`."""
    with arena.container("sleep", "60", host=None if protected else UNCONFINED) as made:
        expect(arena.attack_by_exec(made, "kernelcalls.keys"), protected=protected)


@pytest.mark.needs_sampand
@both
def test_the_session_keyring_is_its_own(
    arena: Arena, sabotaged: Callable[..., Arena], host_key: str, protected: bool
) -> None:
    """Search the session keyring, which a process inherits, for a key of whoever started the engine. (Without the
    filter, which does not let anybody search.)"""
    target = arena if protected else sabotaged("session-keyring")
    verdict = target.attack("kernelcalls.find_key", description=host_key, rings=["session"], host=UNCONFINED)
    expect(verdict, protected=protected)


@both
def test_keys_of_the_hosts_root_cannot_be_found(arena: Arena, host_key: str, protected: bool) -> None:
    """Search the keyrings of user 0, which are the host's, whatever the session: only the filter is in the way."""
    host = None if protected else without_seccomp()
    rings = ["user", "user session"]
    expect(arena.attack("kernelcalls.find_key", description=host_key, rings=rings, host=host), protected=protected)
