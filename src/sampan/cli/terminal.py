"""The user's terminal: raw mode, size, and the keys that detach.

Invariants  1. The terminal's settings are given back on every way out of `raw`.
Spec        Raw mode is cfmakeraw(3); detach keys are docker's form: "ctrl-p,ctrl-q", letters and ctrl-@ .. ctrl-_.
"""

from __future__ import annotations

import os

from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_KEYS = "ctrl-p,ctrl-q"


class Raw:
    """`with Raw(fd):` the terminal passes every key on, at once and unechoed."""

    __slots__ = ("_fd", "_saved")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._saved: list[Any] = []

    def __enter__(self) -> None:
        import termios as t

        self._saved = t.tcgetattr(self._fd)
        mode = t.tcgetattr(self._fd)
        mode[0] &= ~(t.IGNBRK | t.BRKINT | t.PARMRK | t.ISTRIP | t.INLCR | t.IGNCR | t.ICRNL | t.IXON)
        mode[1] &= ~t.OPOST
        mode[2] = mode[2] & ~(t.CSIZE | t.PARENB) | t.CS8
        mode[3] &= ~(t.ECHO | t.ECHONL | t.ICANON | t.ISIG | t.IEXTEN)
        mode[6][t.VMIN], mode[6][t.VTIME] = 1, 0
        t.tcsetattr(self._fd, t.TCSANOW, mode)

    def __exit__(self, *_: object) -> None:
        import termios as t

        t.tcsetattr(self._fd, t.TCSANOW, self._saved)


def size(fd: int) -> tuple[int, int] | None:
    """(height, width) in characters; None where there is no terminal."""
    try:
        found = os.get_terminal_size(fd)
    except OSError:
        return None
    return found.lines, found.columns


def parse_keys(text: str) -> bytes:
    """The byte sequence of a --detach-keys value."""
    sequence = b""
    for key in text.split(","):
        if len(key) == 1:
            sequence += key.encode()
        elif key.startswith("ctrl-") and len(key) == 6 and (key[5].islower() or key[5] in "@[\\]^_"):
            sequence += bytes([ord(key[5].upper()) & 0x1F])
        else:
            raise InvalidArgument(f"invalid detach keys ({text}): Unknown character: '{key}'")
    return sequence


class KeyWatch:
    """Finds the detach sequence in typed bytes. Keys that may belong to it are held back until that is decided."""

    __slots__ = ("_held", "_sequence")

    def __init__(self, sequence: bytes) -> None:
        self._sequence = sequence
        self._held = 0

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """(the bytes to send on, whether the sequence is complete)."""
        passed = bytearray()
        for byte in typed:
            while self._held and byte != self._sequence[self._held]:
                passed += self._sequence[: self._held]
                self._held = 0
            if byte != self._sequence[self._held]:
                passed.append(byte)
                continue
            self._held += 1
            if self._held == len(self._sequence):
                self._held = 0
                return bytes(passed), True
        return bytes(passed), False
