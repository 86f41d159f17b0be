"""Waiting for a container's process in the foreground: its terminal passed on, signals forwarded, its exit code.

Terminal    Ours goes into raw mode while it is connected, and back afterwards whatever happens; its size follows ours.
Exit code   of the process; 128 and the signal's number when a signal ended it.
"""

import os
import select

from sampan.linux import syscalls
from sampan.runtime import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any

    from sampan.runtime.command.notify import Waiting
else:
    import _signal as signal  # the same functions without the enums around them

PIECE_BYTES = 1 << 16
_NOT_FORWARDED = (
    "SIGKILL SIGSTOP SIGCHLD SIGURG SIGPIPE SIGSEGV SIGBUS SIGFPE SIGILL SIGTRAP SIGABRT SIGSYS SIGTTOU SIGTTIN"
).split()


def listen() -> int:
    """Take signals from now on, for `wait` to forward: a descriptor from which their numbers are read.

    To be called before the program runs, which may itself be what makes somebody send us one.
    """
    wakeup, ours = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(ours, warn_on_full_buffer=False)
    kept = {getattr(signal, name) for name in _NOT_FORWARDED}
    for number in {*range(1, 32), *range(signal.SIGRTMIN, signal.SIGRTMAX + 1)} - kept:
        signal.signal(number, lambda *_: None)
    return wakeup


def fit(process: "dict[str, Any]") -> None:
    """Let the terminal of a process have the size of ours from the beginning, so that nothing is drawn twice."""
    try:
        columns, lines = os.get_terminal_size(0)
    except OSError:
        return
    process["consoleSize"] = {"height": lines, "width": columns}


def wait(pid: int, pidfd: int, wakeup: int = -1, master_fd: int = -1, waiting: "Waiting | None" = None) -> int:
    """Wait for a child; with `master_fd` connect our standard streams to that terminal meanwhile (it is closed).

    `wakeup` is what `listen` gave, if it was called; `waiting`: its readiness is passed on when it comes.
    """
    if wakeup < 0:
        wakeup = listen()
    if master_fd < 0:
        _Waiter(pid, pidfd, wakeup, waiting).until_end()
    else:
        relay = Relay(pid, pidfd, wakeup, waiting, master_fd)
        try:
            relay.until_end()
        finally:
            relay.close()
    signal.set_wakeup_fd(-1)
    return exit_code(pidfd)


def exit_code(pidfd: int) -> int:
    """Reap a child that has ended."""
    ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)
    assert ended is not None
    return ended.si_status if ended.si_code == os.CLD_EXITED else 128 + ended.si_status


class _Waiter:
    """Signals go to the process until it has ended."""

    def __init__(self, pid: int, pidfd: int, wakeup: int, waiting: "Waiting | None") -> None:
        self.pid = pid
        self.pidfd = pidfd
        self._waiting = waiting
        self.wakeup = wakeup
        self.poll = select.poll()
        self.poll.register(pidfd, select.POLLIN)
        self.poll.register(wakeup, select.POLLIN)
        if waiting is not None:
            self.poll.register(waiting.fileno(), select.POLLIN)

    def until_end(self) -> None:
        while True:
            ready = dict(self.poll.poll())
            if self.wakeup in ready:
                for number in os.read(self.wakeup, 256):
                    self.take(number)
            if self._waiting is not None and self._waiting.fileno() in ready and self._waiting.take(self.pid):
                self.poll.unregister(self._waiting.fileno())
                self._waiting.close()
                self._waiting = None
            if self.pidfd in ready:
                return
            self.move(ready)

    def take(self, number: int) -> None:
        try:
            syscalls.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return

    def move(self, ready: "dict[int, int]") -> None:
        """Carry bytes; there are none without a terminal."""


class Relay(_Waiter):
    """Between our terminal (or pipes) and the container's."""

    def __init__(self, pid: int, pidfd: int, wakeup: int, waiting: "Waiting | None", master_fd: int) -> None:
        super().__init__(pid, pidfd, wakeup, waiting)
        self.master = master_fd
        self._saved: Any = None
        self._to_master = b""
        self._has_reader = True
        os.set_blocking(master_fd, False)
        self._make_raw()
        self._resize()
        self.poll.register(0, select.POLLIN)
        self.poll.register(self.master, select.POLLIN)

    def _make_raw(self) -> None:
        import termios
        import tty

        # Lines end as the program ends them; where they come to a terminal that one makes of it what it needs.
        attributes = termios.tcgetattr(self.master)
        attributes[1] &= ~termios.ONLCR
        termios.tcsetattr(self.master, termios.TCSANOW, attributes)
        if os.isatty(0):
            self._saved = termios.tcgetattr(0)
            tty.setraw(0)
            raw = termios.tcgetattr(0)
            raw[1] |= termios.OPOST
            termios.tcsetattr(0, termios.TCSANOW, raw)

    def _resize(self) -> None:
        try:
            columns, lines = os.get_terminal_size(0)
        except OSError:
            return
        terminal.set_size(self.master, height=lines, width=columns)

    def take(self, number: int) -> None:
        if number == signal.SIGWINCH:
            self._resize()
        else:
            super().take(number)

    def move(self, ready: "dict[int, int]") -> None:
        if 0 in ready:
            piece = _read_input()
            if piece:
                self._to_master += piece
            elif piece is not None:
                self._to_master += b"\x04"  # what a terminal's line discipline takes for the end of input
                self.poll.unregister(0)
        if self.master in ready:
            self._from_master()
        self._feed()

    def _feed(self) -> None:
        try:
            while self._to_master:
                self._to_master = self._to_master[os.write(self.master, self._to_master) :]
        except BlockingIOError:
            pass
        except OSError:
            self._to_master = b""
        events = select.POLLIN | (select.POLLOUT if self._to_master else 0)
        if self.master >= 0:
            self.poll.register(self.master, events)

    def _from_master(self) -> bool:
        try:
            piece = os.read(self.master, PIECE_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            piece = b""  # EIO: nobody has the other side open
        if not piece:
            self.poll.unregister(self.master)
            os.close(self.master)
            self.master = -1
            return False
        if self._has_reader:
            self._has_reader = _write_all(1, piece)
        return True

    def close(self) -> None:
        """Deliver what is left, and give our terminal back as it was."""
        try:
            while self.master >= 0 and self._from_master():
                continue
        finally:
            if self._saved is not None:
                import termios

                termios.tcsetattr(0, termios.TCSADRAIN, self._saved)
            if self.master >= 0:
                os.close(self.master)


def _read_input() -> "bytes | None":
    """What there is; b"" at the end, None when another reader of the same terminal was faster."""
    try:
        return os.read(0, PIECE_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # a terminal that was hung up


def _write_all(fd: int, piece: bytes) -> bool:
    """Whether there still is a reader: a container does not end because nobody looks at it any more."""
    while piece:
        try:
            piece = piece[os.write(fd, piece) :]
        except BlockingIOError:  # somebody who shares the descriptor has made it non-blocking
            select.select([], [fd], [])
        except OSError:
            return False
    return True
