import ctypes
import os
import signal

import pytest

from sampan.linux import constants as c
from sampan.linux import syscalls


def test_structures_have_the_kernels_sizes() -> None:
    assert ctypes.sizeof(syscalls.CloneArgs) == 88
    assert ctypes.sizeof(syscalls.OpenHow) == 24
    assert ctypes.sizeof(syscalls.MountAttr) == 32
    assert ctypes.sizeof(syscalls.CapHeader) == 8
    assert ctypes.sizeof(syscalls.CapData) == 24


def test_a_failing_call_names_the_file() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        syscalls.openat2(c.AT_FDCWD, "/does/not/exist", os.O_RDONLY, resolve=0)
    assert caught.value.filename == "/does/not/exist"


def test_openat2_adds_close_on_exec() -> None:
    fd = syscalls.openat2(c.AT_FDCWD, "/", os.O_PATH, resolve=0)
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_a_clone_without_flags_is_a_fork_with_a_pidfd() -> None:
    pid, pidfd = syscalls.clone3(0, exit_signal=17)
    if pid == 0:
        os._exit(7)
    ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)
    assert ended is not None and (ended.si_pid, ended.si_status) == (pid, 7)


def test_a_range_of_descriptors_is_closed() -> None:
    pid, pidfd = syscalls.clone3(0, exit_signal=17)
    if pid == 0:
        opened = os.open("/", os.O_PATH)
        syscalls.close_range(opened, 0xFFFFFFFF)
        try:
            os.fstat(opened)
        except OSError:
            os._exit(0)
        os._exit(1)
    ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)
    assert ended is not None and ended.si_status == 0


def test_a_program_of_broken_length_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number"):
        syscalls.seccomp_set_filter(b"1234567")


def test_every_signals_action_can_be_made_the_default_one() -> None:
    pid, pidfd = syscalls.clone3(0, exit_signal=17)
    if pid == 0:
        try:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            for number in (signal.SIGHUP, 32, 33, 64):
                syscalls.default_action(number)
            with open("/proc/self/status") as status:
                ignored = next(int(line.split()[1], 16) for line in status if line.startswith("SigIgn"))
            os._exit(0 if not ignored & (1 | 3 << 31) else 1)
        finally:
            os._exit(2)
    ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)
    assert ended is not None and ended.si_status == 0
