import os
import socket

from sampan.runtime.shim.start import Newborn, clone_init
from support import children


def test_a_newborn_is_alive_until_it_has_ended_and_stays_to_be_reaped() -> None:
    read, write = os.pipe()
    pid = children.fork(lambda: (os.close(write), os.read(read, 1)))
    sync, other = socket.socketpair()
    one = Newborn(pid, os.pidfd_open(pid), sync)
    assert one.is_alive
    os.close(write)
    os.waitid(os.P_PIDFD, one.pidfd, os.WEXITED | os.WNOWAIT)
    assert not one.is_alive and not one.is_alive
    assert children.code(pid) == 0
    for fd in (read, one.pidfd):
        os.close(fd)
    sync.close()
    other.close()


def test_a_cloned_init_prepares_itself_then_waits_and_goes_with_its_shim() -> None:
    read, write = os.pipe()
    one = clone_init(0, prepare=lambda: os.write(write, b"ready"))
    assert os.read(read, 10) == b"ready"
    assert one.is_alive
    one.sync.close()
    assert children.code(one.pid) == 1
    for fd in (read, write, one.pidfd):
        os.close(fd)
