"""A program on a pseudo-terminal: type, wait for text, resize, collect the exit code."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

TIMEOUT_S = 20.0


class Terminal:
    """`with Terminal(argv, env) as terminal: terminal.send("ls\\n"); terminal.wait_text("etc")`."""

    def __init__(self, argv: list[str], env: dict[str, str], *, rows: int = 24, columns: int = 80) -> None:
        self.seen = ""
        self.read_to = 0
        self.master_fd, slave_fd = pty.openpty()
        self.resize(rows, columns)
        try:
            self.process = subprocess.Popen(
                argv, env=env, stdin=slave_fd, stdout=slave_fd, stderr=slave_fd, preexec_fn=_take_terminal
            )
        finally:
            os.close(slave_fd)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT_S)
        os.close(self.master_fd)

    def resize(self, rows: int, columns: int) -> None:
        """Change the window; the kernel tells the program by SIGWINCH."""
        fcntl.ioctl(self.master_fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def send(self, text: str | bytes) -> None:
        """Type."""
        os.write(self.master_fd, text.encode() if isinstance(text, str) else text)

    def wait_text(self, pattern: str, timeout_s: float = TIMEOUT_S) -> re.Match[str]:
        """Wait until `pattern` matches what came since the last match, and move past it."""
        deadline_s = time.monotonic() + timeout_s
        while (found := re.compile(pattern, re.MULTILINE).search(self.seen, self.read_to)) is None:
            if not self._read(deadline_s - time.monotonic()):
                raise AssertionError(f"no {pattern!r} in {self.seen[self.read_to :]!r}")
        self.read_to = found.end()
        return found

    def wait_exit(self, timeout_s: float = TIMEOUT_S) -> int:
        """Read until the program ends; its exit code."""
        deadline_s = time.monotonic() + timeout_s
        while self._read(deadline_s - time.monotonic()):
            pass
        return self.process.wait(max(0.1, deadline_s - time.monotonic()))

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self.master_fd], [], [], max(0.0, timeout_s))[0]:
            return False
        try:
            chunk = os.read(self.master_fd, 65536)
        except OSError:  # EIO: the last holder of the slave is gone
            return False
        self.seen += chunk.decode(errors="replace")
        return bool(chunk)


def _take_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
