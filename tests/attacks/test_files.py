"""Out of the root by files: file handles, chroot, open directories, device nodes, control groups."""

import ctypes
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attacks.programs import kernel
from support import naive
from support.attacks import PRIVILEGED, SECRET, Arena, Outside, both, expect, judge, without_seccomp
from support.loopdevice import loop_device
from support.waiting import eventually

KMSG, MEM, PORT = (1, 11), (1, 1), (1, 4)
BLOCK_DEVICES = {"DeviceCgroupRules": ["b 7:* rwm"]}


def handle_of(path: str) -> tuple[int, str]:
    """A file's handle: type and bytes in hex; name_to_handle_at(2)."""
    packed = ctypes.create_string_buffer((128).to_bytes(4, "little") + bytes(132))
    mount_id = ctypes.c_int()
    kernel.call("name_to_handle_at", kernel.AT_FDCWD, path, packed, ctypes.byref(mount_id), 0)
    size, kind = (int.from_bytes(packed.raw[at : at + 4], "little") for at in (0, 4))
    return kind, packed.raw[8 : 8 + size].hex()


@both
def test_a_file_handle_opens_nothing_of_the_host(arena: Arena, outside: Outside, protected: bool) -> None:
    """open_by_handle_at(2), "shocker": a file by its number on a file system of which the container has a part. Root
    in a container has no CAP_DAC_READ_SEARCH."""
    kind, handle = handle_of(outside.secret_path)
    host = {**({} if protected else without_seccomp("DAC_READ_SEARCH")), "Binds": [f"{outside.make('part')}:/part"]}
    arguments: dict[str, Any] = {"handle_type": kind, "handle": handle, "anchor": "/part", "expected": SECRET}
    expect(arena.attack("files.by_handle", host=host, **arguments), protected=protected)


@both
@pytest.mark.parametrize("way", ["double_chroot", "open_directory"])
def test_chroot_does_not_lead_out(arena: Arena, outside: Outside, protected: bool, way: str) -> None:
    """The classic: with CAP_SYS_CHROOT, change the root below the working directory, or below an open directory, and
    go up. The old root is gone: pivot_root(2), and nothing above. Switched off: chroot(2) instead."""
    arguments = {"secret_path": outside.secret_path}
    if protected:
        verdict = arena.attack(f"files.{way}", **arguments)
    else:
        verdict = judge(naive.attack_in_chroot(f"files.{way}", **arguments))
    expect(verdict, protected=protected)


@pytest.fixture
def disk(outside: Outside) -> Iterator[tuple[int, int]]:
    """A disk of the host, a loop device on a file with the secret: (major, minor)."""
    with loop_device(f"{outside.folder}/disk", SECRET.encode()) as numbers:
        yield numbers


@both
@pytest.mark.parametrize("by_exec", [False, True], ids=["run", "exec"])
def test_a_disk_of_the_host_cannot_be_read(arena: Arena, disk: tuple[int, int], protected: bool, by_exec: bool) -> None:
    """mknod(2) a block device, which root in a container may, and read it, which the device rules of its control
    group do not let it; neither the first process nor an exec."""
    host = None if protected else BLOCK_DEVICES
    arguments: dict[str, Any] = {"kind": "b", "major": disk[0], "minor": disk[1]}
    if by_exec:
        with arena.container("sleep", "60", host=host) as made:
            verdict = arena.attack_by_exec(made, "files.device", **arguments)
    else:
        verdict = arena.attack("files.device", host=host, **arguments)
    assert protected or SECRET in verdict.detail
    expect(verdict, protected=protected)


@both
def test_nor_by_a_node_that_came_in_a_volume(
    arena: Arena, outside: Outside, disk: tuple[int, int], protected: bool
) -> None:
    """The same with a node that is there already, in a folder of the host."""
    folder = outside.make("volume")
    os.mknod(f"{folder}/disk", 0o60600, os.makedev(*disk))
    host = {**({} if protected else BLOCK_DEVICES), "Binds": [f"{folder}:/volume"]}
    arguments: dict[str, Any] = {"kind": "b", "major": 0, "minor": 0, "path": "/volume/disk", "make": False}
    expect(arena.attack("files.device", host=host, **arguments), protected=protected)


@both
@pytest.mark.parametrize("numbers", [KMSG, MEM, PORT], ids=["kmsg", "mem", "port"])
def test_memory_and_log_of_the_kernel_are_no_devices(arena: Arena, protected: bool, numbers: tuple[int, int]) -> None:
    """mknod(2) /dev/kmsg, /dev/mem, /dev/port, and read."""
    arguments: dict[str, Any] = {"kind": "c", "major": numbers[0], "minor": numbers[1]}
    verdict = arena.attack("files.device", host=None if protected else PRIVILEGED, **arguments)
    if not protected and "No such device" in verdict.detail:
        pytest.skip("this kernel has no such device")
    expect(verdict, protected=protected)


@both
def test_a_release_agent_is_not_run(arena: Arena, outside: Outside, protected: bool) -> None:
    """Mount a hierarchy of control groups, and name a program that the kernel is to run, as root of the host, when
    a group becomes empty. (The hierarchy is a new one of the attacker's own; the program is the test's.)"""
    agent, proof = f"{outside.folder}/agent", f"{outside.folder}/proof"
    with open(agent, "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
        file.write(f"#!/bin/sh\ntouch {proof}\n")
    host = None if protected else PRIVILEGED
    verdict = arena.attack("files.release_agent", agent=agent, proof=proof, host=host)
    expect(verdict, protected=protected)
    if not protected:
        eventually(lambda: os.path.exists(proof))
    assert os.path.exists(proof) is not protected


@both
@pytest.mark.parametrize("program", ["write_cgroups", "make_cgroup"])
@pytest.mark.parametrize("namespace", ["private", "host"])
def test_control_groups_cannot_be_changed(arena: Arena, protected: bool, program: str, namespace: str) -> None:
    """Raise one's own limits, allow devices, leave the group, make another."""
    host = {"CgroupnsMode": namespace, **({} if protected else PRIVILEGED)}
    expect(arena.attack(f"files.{program}", host=host), protected=protected)


@both
def test_an_exec_is_held_by_the_same_limits(arena: Arena, protected: bool) -> None:
    """Come in by `docker exec` and be outside of the container's control groups. Switched off: nsenter(1), which
    joins the namespaces and nothing else."""
    with arena.container("sleep", "60") as made:
        first = arena.api.inspect(made)["State"]["Pid"]
        if protected:
            exec_id = arena.api("POST", f"/containers/{made}/exec", {"Cmd": ["sleep", "60"]})["Id"]
            arena.api("POST", f"/exec/{exec_id}/start", {"Detach": True})
            assert _control_groups(arena.api("GET", f"/exec/{exec_id}/json")["Pid"]) == _control_groups(first)
        else:
            entered = subprocess.Popen(["nsenter", "-t", str(first), "-m", "-u", "-i", "-n", "sleep", "60"])
            assert _control_groups(entered.pid) != _control_groups(first)
            entered.kill()
            entered.wait()


def _control_groups(pid: int) -> list[str]:
    with open(f"/proc/{pid}/cgroup") as file:
        return file.read().splitlines()


@pytest.fixture(autouse=True)
def no_hierarchy_stays(tmp_path: Path) -> Iterator[None]:
    """A hierarchy that was unmounted too soon after its last group stays without a mount, until it is mounted again."""
    yield
    eventually(lambda: not _remount_hierarchies(str(tmp_path)), 30)


def _remount_hierarchies(folder: str) -> bool:
    names = {line.split(":")[1] for line in _control_groups(os.getpid()) if ":name=smpx" in line}
    for name in names:
        # In a mount namespace that goes at once: a copy of the mount, in anybody's new namespace, would keep it.
        naive.in_mount_namespace(lambda name=name: kernel.mount("none", folder, "cgroup", 0, f"none,{name}"))
    time.sleep(0.3 * bool(names))  # nothing tells when the kernel has done with them, and a look alone revives none
    return bool(names)
