"""Our processes and the host's: /proc/<pid>/root, ptrace, memory, namespaces, abstract sockets."""

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from support import attackimage, leaks
from support.api import Refused
from support.attacks import PRIVILEGED, UNLABELLED, Arena, Outside, both, expect, judge, without_seccomp
from support.waiting import eventually

HOST_PIDS = {"PidMode": "host", **UNLABELLED}
TRACING = without_seccomp("SYS_PTRACE", PidMode="host")
OWN_PROGRAMS = ["/bin/busybox", attackimage.interpreter()]
EXECS = 6


def watched(target: Arena, **host: object) -> tuple[bool, str]:
    """The verdict of a container that watches while `docker exec` enters it again and again."""
    with target.attacking("processes.watch", image_programs=OWN_PROGRAMS, host=host) as made:
        for command in [["true"]] * EXECS + [["touch", "/stop"]]:
            try:
                target.api.exec(made, *command)
            except Refused:  # the attack is over, and was its first process
                break
        eventually(lambda: "VERDICT" in target.log(made), 20)
        return judge(target.log(made))


def test_the_runtime_cannot_be_caught_while_it_joins(arena: Arena) -> None:
    """Watch /proc for the process that `docker exec` brings in: before its execve it is an interpreter of the host
    with descriptors, memory and, for a while, the privileges of the host's root. Open its program, memory,
    descriptors, root; read its memory; trace it."""
    assert not watched(arena)[0]


@pytest.mark.needs_sampand
@both
def test_nor_just_before_its_execve(sabotaged: Callable[..., Arena], protected: bool) -> None:
    """The same, with all the time in the world: the daemon waits between the last restriction, when the process has
    no more privileges than the attacker, and execve. Protection: it is not dumpable."""
    target = sabotaged("execve-pause") if protected else sabotaged("dumpable", "execve-pause")
    verdict = watched(target, **UNLABELLED)
    assert verdict[0] is not protected, verdict[1]


@pytest.mark.needs_sampand
@both
def test_a_first_process_cannot_be_caught_before_its_execve(sabotaged: Callable[..., Arena], protected: bool) -> None:
    """The same for the first process of another container, from one that sees the host's processes (--pid=host): it
    has no more privileges than the attacker when it waits for its execve."""
    target = sabotaged("execve-pause") if protected else sabotaged("dumpable", "execve-pause")
    with target.attacking("processes.watch", image_programs=OWN_PROGRAMS, title="sampan-", host=HOST_PIDS) as made:
        for _ in range(3):
            target.printed("true")
        if protected:
            target.api.exec(made, "touch", "/stop")
        eventually(lambda: "VERDICT" in target.log(made), 40)
        expect(judge(target.log(made)), protected=protected)


@pytest.mark.needs_sampand
def test_a_container_that_may_trace_catches_it(sabotaged: Callable[..., Arena]) -> None:
    """What else protects it: the container has fewer capabilities. With CAP_SYS_PTRACE nothing holds, as with every
    runtime without user namespaces; so the attack is seen to work before the capabilities are dropped, too."""
    assert watched(sabotaged("execve-pause"), **without_seccomp("SYS_PTRACE"))[0]


@both
def test_no_process_leads_to_the_hosts_root(arena: Arena, outside: Outside, protected: bool) -> None:
    """Go through root and cwd of every process in /proc, to a file of the host."""
    verdict = arena.attack(
        "processes.reach_outside", secret_path=outside.secret_path, host=None if protected else TRACING
    )
    expect(verdict, protected=protected)


@pytest.mark.needs_sampand
@both
def test_nor_do_ours_when_they_are_in_sight(
    arena: Arena, engine_pids: list[int], outside: Outside, protected: bool
) -> None:
    """The same with --pid=host: daemon, launcher and shims are there, and /proc/<pid>/root would lead to the host."""
    host = HOST_PIDS if protected else TRACING
    arguments = {"secret_path": outside.secret_path, "pids": engine_pids}
    expect(arena.attack("processes.reach_outside", host=host, **arguments), protected=protected)


@pytest.mark.needs_sampand
@both
def test_our_processes_cannot_be_touched(arena: Arena, engine_pids: list[int], protected: bool) -> None:
    """Read memory, environment and descriptors of daemon, launcher and shims, or trace them, with --pid=host."""
    for pid in engine_pids:
        verdict = arena.attack("processes.take_over", pid=pid, host=HOST_PIDS if protected else TRACING)
        expect(verdict, protected=protected)


@pytest.fixture
def engine_pids(arena: Arena) -> Iterator[list[int]]:
    """The daemon, the launcher, and the shim of a running container."""
    assert arena.sampand is not None
    with arena.container("sleep", "60"):
        found = [arena.sampand.pid, arena.sampand.launcher_pid()]
        yield [*found, *(pid for pid in arena.sampand.children() if leaks.command_name(pid) == "sampan-shim")]


@both
def test_processes_of_the_host_cannot_be_signalled(arena: Arena, protected: bool) -> None:
    """Send a signal to processes by their pids on the host."""
    pids = [pid for pid in (os.getpid(), os.getppid()) if pid > 1000]
    verdict = arena.attack("processes.signal_outside", pids=pids, host=None if protected else HOST_PIDS)
    expect(verdict, protected=protected)


@both
def test_namespaces_of_the_host_cannot_be_entered(arena: Arena, outside: Outside, protected: bool) -> None:
    """setns(2) into the mount namespace of any process in sight, and read a file of the host there."""
    host = None if protected else {"PidMode": "host", **PRIVILEGED}
    verdict = arena.attack("processes.enter_namespaces", secret_path=outside.secret_path, host=host)
    expect(verdict, protected=protected)


@pytest.mark.needs_sampand
@both
def test_abstract_sockets_of_the_host_cannot_be_reached(arena: Arena, protected: bool) -> None:
    """CVE-2020-15257: connect to a supervisor's abstract unix socket, which belongs to the network namespace and
    has no owner or mode. The one here is the test's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        name = f"smpx-shim-{os.getpid()}"
        listener.bind(f"\0{name}")
        listener.listen()
        host = None if protected else {"NetworkMode": "host"}
        expect(arena.attack("processes.abstract_sockets", pattern=name, host=host), protected=protected)


@pytest.mark.needs_sampand
def test_our_processes_have_no_abstract_sockets(engine_pids: list[int]) -> None:
    """Even with --network=host there is nothing of ours to connect to: the shim's socket is a file, mode 0700 above."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0smpx-own-{os.getpid()}")
        assert len(_abstract_sockets([os.getpid()])) == 1
    assert _abstract_sockets(engine_pids) == []


def _abstract_sockets(pids: list[int]) -> list[str]:
    open_files = {link for pid in pids for link in leaks.open_fds(pid)}
    with open("/proc/net/unix") as file:
        rows = [line.split() for line in file][1:]
    return [row[7] for row in rows if len(row) > 7 and row[7][0] == "@" and f"socket:[{row[6]}]" in open_files]
