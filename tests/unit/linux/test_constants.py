import os
import signal

from sampan.linux import constants as c


def test_every_system_call_in_use_has_a_number_here() -> None:
    for name in ("pivot_root", "capset", "keyctl", "seccomp", "setns", "unshare", "clone3", "openat2", "mount_setattr"):
        assert c.SYSCALLS[name] > 0


def test_values_that_python_knows_too_are_equal() -> None:
    assert c.OPEN_TREE_CLOEXEC == os.O_CLOEXEC
    assert os.P_PIDFD == c.P_PIDFD
    assert signal.SIGKILL == 9
