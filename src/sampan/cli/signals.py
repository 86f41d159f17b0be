"""Signals of ours that belong to the container: proxied ones, and the terminal's new size.

Invariants  1. A handler speaks to the engine on a connection of its own: it may interrupt a request.
            2. A signal that cannot be delivered any more (the container ended) is dropped.
"""

from __future__ import annotations

from sampan.cli import terminal
from sampan.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from sampan.cli.command import Context
else:
    # `signal` imports enum, which costs a quarter of a start; the C module has all that is needed.
    import _signal

# Not among them: CHLD, PIPE and URG, which are our own; WINCH, below; the stop signals of job control.
PROXIED: dict[int, str] = {
    _signal.SIGHUP: "HUP",
    _signal.SIGINT: "INT",
    _signal.SIGQUIT: "QUIT",
    _signal.SIGUSR1: "USR1",
    _signal.SIGUSR2: "USR2",
    _signal.SIGALRM: "ALRM",
    _signal.SIGTERM: "TERM",
    _signal.SIGCONT: "CONT",
}


def proxy(context: Context, container: str) -> None:
    """Send the signals we get to the container, for the rest of this program."""

    def forward(number: int, _frame: object) -> None:
        try:
            with context.new_engine() as engine:
                engine.post(f"/containers/{container}/kill", {"signal": PROXIED[number]})
        except Error:
            return

    for number in PROXIED:
        _signal.signal(number, forward)


def follow_size(context: Context, path: str, fd: int) -> None:
    """Give the process at `path` (/containers/<id> or /exec/<id>) the terminal's size, now and when it changes."""
    resize(context, path, fd)
    _signal.signal(_signal.SIGWINCH, lambda _number, _frame: resize(context, path, fd))


def resize(context: Context, path: str, fd: int, *, grow: int = 0) -> None:
    size = terminal.size(fd)
    if size is None or size == (0, 0):
        return
    height, width = size
    try:
        with context.new_engine() as engine:
            engine.post(f"{path}/resize", {"h": str(height + grow), "w": str(width + grow)})
    except Error:
        return
