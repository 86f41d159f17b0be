import os
import pty
import termios

import pytest

from sampan.cli import terminal
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "keys"),
    [("ctrl-p,ctrl-q", b"\x10\x11"), ("a", b"a"), ("ctrl-@,x,ctrl-[", b"\x00x\x1b"), ("ctrl-_", b"\x1f")],
)
def test_detach_keys_are_read(text: str, keys: bytes) -> None:
    assert terminal.parse_keys(text) == keys


@pytest.mark.parametrize("text", ["", "ctrl-", "ctrl-pp", "shift-a", "a,,b"])
def test_other_keys_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid detach keys"):
        terminal.parse_keys(text)


def watch(*typed: bytes) -> tuple[bytes, bool]:
    keys = terminal.KeyWatch(b"\x10\x11")
    passed, found = b"", False
    for piece in typed:
        part, found = keys.feed(piece)
        passed += part
    return passed, found


def test_the_detach_sequence_is_found_across_reads_and_not_passed_on() -> None:
    assert watch(b"ls\n\x10", b"\x11") == (b"ls\n", True)


def test_keys_that_turn_out_not_to_detach_are_passed_on() -> None:
    assert watch(b"a\x10", b"b") == (b"a\x10b", False)
    assert watch(b"\x10\x10\x11") == (b"\x10", True)


def test_a_key_that_may_begin_the_sequence_is_held_back() -> None:
    assert watch(b"a\x10") == (b"a", False)


def test_the_terminals_settings_come_back() -> None:
    master_fd, slave_fd = pty.openpty()
    before = termios.tcgetattr(slave_fd)
    with terminal.Raw(slave_fd):
        raw = termios.tcgetattr(slave_fd)
        assert not raw[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        assert not raw[1] & termios.OPOST
    assert termios.tcgetattr(slave_fd) == before
    os.close(master_fd)
    os.close(slave_fd)


def test_what_is_no_terminal_has_no_size() -> None:
    reader_fd, writer_fd = os.pipe()
    assert terminal.size(reader_fd) is None
    os.close(reader_fd)
    os.close(writer_fd)
