"""Mounting and unmounting from inside, masked and read-only paths."""

from typing import Any

import pytest

from support.attacks import PRIVILEGED, UNCONFINED, Arena, both, expect, without_seccomp

BARE = {**UNCONFINED, "MaskedPaths": [], "ReadonlyPaths": []}
ATTEMPTS = (
    "a_tmpfs a_bind the_new_way a_detached_copy writable_again uncover another_root own_mounts an_interpreter"
).split()


def host(protected: bool, switch: dict[str, Any]) -> dict[str, Any] | None:
    """The HostConfig of a run."""
    return None if protected else switch


@both
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_mounts_cannot_be_changed(arena: Arena, protected: bool, attempt: str) -> None:
    """Mount something, by each of the kernel's interfaces; unmount or remount what covers kernel files; change the
    root; make a mount namespace. Root in a container has no CAP_SYS_ADMIN."""
    switch = PRIVILEGED if attempt != "uncover" else without_seccomp("SYS_ADMIN")
    expect(arena.attack(f"mounting.{attempt}", host=host(protected, switch)), protected=protected)


@both
def test_a_user_namespace_cannot_be_made(arena: Arena, protected: bool) -> None:
    """unshare(2) a user namespace, to be root with every capability there, and mount: a large part of the kernel is
    then open that was never meant for root in a container. Stopped by the system call filter."""
    expect(arena.attack("mounting.in_user_namespace", host=host(protected, UNCONFINED)), protected=protected)


@both
@pytest.mark.parametrize("by_clone3", [False, True], ids=["clone", "clone3"])
def test_nor_by_cloning(arena: Arena, protected: bool, by_clone3: bool) -> None:
    """The same by clone(2), and by clone3(2), whose flags are in memory where no filter can look."""
    verdict = arena.attack("mounting.in_cloned_user_namespace", by_clone3=by_clone3, host=host(protected, UNCONFINED))
    expect(verdict, protected=protected)


@both
def test_masks_stay_in_a_user_namespace(arena: Arena, protected: bool) -> None:
    """Without the filter: take the masks away in a user namespace of one's own. The kernel locks mounts that come
    from a more privileged namespace together."""
    switch = without_seccomp("SYS_ADMIN")
    program = "mounting.uncover_in_user_namespace" if protected else "mounting.uncover"
    expect(arena.attack(program, host=UNCONFINED if protected else switch), protected=protected)


@both
def test_no_unmasked_proc_in_a_user_namespace(arena: Arena, protected: bool) -> None:
    """Without the filter: mount a new /proc in namespaces of one's own. The kernel refuses while something covers
    parts of the /proc that is in sight; so masked paths are to be mounts, and to be there."""
    expect(arena.attack("mounting.fresh_proc", host=UNCONFINED if protected else BARE), protected=protected)


@both
def test_kernel_files_are_masked(arena: Arena, protected: bool) -> None:
    """Read kernel memory, keys, timers, firmware tables."""
    expect(arena.attack("mounting.masked", host=host(protected, BARE)), protected=protected)


@both
def test_kernel_settings_cannot_be_written(arena: Arena, protected: bool) -> None:
    """Open core_pattern, the sysrq trigger and others for writing: the first names a program that the kernel runs as
    root of the host."""
    expect(arena.attack("mounting.settings", host=host(protected, BARE)), protected=protected)


@both
def test_sys_cannot_be_written(arena: Arena, protected: bool) -> None:
    """Open files of /sys for writing: uevent_helper would be run as root of the host."""
    expect(arena.attack("mounting.sys_files", host=host(protected, PRIVILEGED)), protected=protected)
