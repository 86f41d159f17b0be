"""Starting `sampand` when nothing listens on the default socket.

Invariants  1. Only root, only for the default socket, only once a command.
            2. The daemon gets a session of its own and no descriptor of ours: it outlives the terminal.
            3. Of several commands at once one starts the daemon; the others wait for its lock and find it there.
Errors      Unavailable, with the end of the daemon's log.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

from sampan import errors
from sampan.client import transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sampan.client.hosts import Host

LOG_PATH = "/var/log/sampand.log"
WAIT_S = 30.0
NOTE_AFTER_S = 2.0
POLL_S = 0.02


def starter(host: Host) -> Callable[[], None] | None:
    """What starts the daemon, or None where we cannot: not root, or no `sampand` beside us or on PATH."""
    if os.geteuid() != 0:
        return None
    program = find_daemon()
    return None if program is None else lambda: start(program, host)


def find_daemon() -> str | None:
    beside = [
        os.path.join(os.path.dirname(os.path.abspath(program)), "sampand") for program in (sys.argv[0], sys.executable)
    ]
    folders = [os.path.join(folder, "sampand") for folder in os.environ.get("PATH", "").split(":") if folder]
    for path in [*beside, *folders]:
        if os.access(path, os.X_OK):
            return path
    return None


def start(program: str, host: Host, *, log_path: str = LOG_PATH, wait_s: float = WAIT_S) -> None:
    """Return once the daemon answers on `host`."""
    # The lock is on a description of its own: the one the daemon writes its log to lives as long as the daemon.
    lock_fd = os.open(log_path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        if answers(host):
            return
        log_start = os.fstat(lock_fd).st_size
        child = _spawn(program, log_path)
        _wait(child, program, host, wait_s=wait_s, log_path=log_path, log_start=log_start)
    finally:
        os.close(lock_fd)


def _spawn(program: str, log_path: str) -> int:
    return os.posix_spawn(
        program,
        [program],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _wait(child: int, program: str, host: Host, *, wait_s: float, log_path: str, log_start: int) -> None:
    started_s = time.monotonic()
    has_noted = False
    while (waited_s := time.monotonic() - started_s) < wait_s:
        if answers(host):
            return
        if has_ended(child):
            raise errors.Unavailable(f"{program} ended before it listened on {host.text}{_tail(log_path, log_start)}")
        if waited_s > NOTE_AFTER_S and not has_noted:
            has_noted = True
            sys.stderr.write(f"sampan: waiting for {program} to start (its log is {log_path})\n")
            sys.stderr.flush()
        time.sleep(POLL_S)
    raise errors.Unavailable(f"{program} does not listen on {host.text} after {wait_s:g} s{_tail(log_path, log_start)}")


def answers(host: Host) -> bool:
    try:
        transport.open_socket(host).close()
    except OSError:
        return False
    return True


def has_ended(child: int) -> bool:
    return os.waitpid(child, os.WNOHANG)[0] == child


def _tail(log_path: str, log_start: int) -> str:
    """The end of what the daemon wrote, as the reason."""
    with open(log_path, "rb") as file:
        file.seek(log_start)
        lines = file.read().decode("utf-8", "replace").strip().splitlines()[-5:]
    return "".join(f"\n  {line}" for line in lines) or f" (see {log_path})"
