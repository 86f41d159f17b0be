import os
import pty
import termios
from pathlib import Path

import pytest

from sampan.runtime import terminal
from support import children


def test_the_standard_streams_of_root_keep_their_owner() -> None:
    def owned() -> None:
        before = [os.fstat(fd).st_uid for fd in range(3)]
        terminal.own_stdio(0, 0)
        assert [os.fstat(fd).st_uid for fd in range(3)] == before

    assert children.code_of(owned) == 0


def test_the_null_device_of_the_host_is_never_given_to_a_user() -> None:
    def owned() -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        terminal.own_stdio(os.getuid() or 65534, 65534)
        assert os.stat(os.devnull).st_uid == before

    before = os.stat(os.devnull).st_uid
    assert children.code_of(owned) == 0


def test_a_size_is_what_the_terminal_tells_its_programs() -> None:
    master, slave = pty.openpty()
    terminal.set_size(master, height=41, width=97)
    assert termios.tcgetwinsize(slave) == (41, 97)
    os.close(master)
    os.close(slave)


def test_a_terminal_becomes_the_controlling_one() -> None:
    def take() -> None:
        _, slave = pty.openpty()
        terminal.take_stdio((slave, slave, slave), is_terminal=True)
        assert os.ttyname(0) == os.ttyname(2)
        assert os.open("/dev/tty", os.O_RDWR) > 2
        assert os.tcgetpgrp(0) == os.getpid()

    assert children.code_of(take) == 0


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_the_console_is_mounted_on_nothing_but_a_file_or_device(tmp_path: Path, kind: str) -> None:
    (tmp_path / "dev").mkdir()
    if kind == "link":
        (tmp_path / "dev/console").symlink_to("/etc/passwd")
    else:
        (tmp_path / "dev/console").mkdir()
    root = os.open(tmp_path, os.O_PATH)
    with pytest.raises(OSError, match="neither a file nor a device"):
        terminal.mount_console(root, 0)
    os.close(root)
