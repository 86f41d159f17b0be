"""What `run`, `start -a` and `attach` share: the hijacked connection, the terminal around it, the exit status.

Order       attach, then wait registered, then start: no byte of output and no exit is missed.
Errors      Failure("the input device is not a TTY"): as docker refuses it.
"""

from __future__ import annotations

import os
import sys

from sampan.cli import signals, terminal
from sampan.cli.command import Failure
from sampan.cli.streams import Session
from sampan.client import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sampan.cli.command import Context
    from sampan.client.transport import Response


def check_tty(*, tty: bool, stdin: bool) -> None:
    if tty and stdin and not os.isatty(0):
        raise Failure("the input device is not a TTY")


def key_watch(text: str, *, tty: bool) -> terminal.KeyWatch | None:
    """Only a terminal's keys are watched, as with docker: piped bytes are not keys."""
    if not tty:
        return None
    return terminal.KeyWatch(terminal.parse_keys(text or terminal.DEFAULT_KEYS))


def attach(context: Context, container: str, *, streams: set[str], tty: bool, detach_keys: str = "") -> Session:
    query: dict[str, str | list[str]] = {"stream": "1"}
    query.update(dict.fromkeys(sorted(streams), "1"))
    if detach_keys:
        query["detachKeys"] = detach_keys
    keys = key_watch(detach_keys, tty=tty)
    socket, early = context.engine.hijack(f"/containers/{container}/attach", query).hijack()
    return Session(socket, early, tty=tty, keys=keys)


def begin_wait(context: Context, container: str, *, condition: str) -> Response:
    """A wait that the engine has registered: its header is here, its answer comes when the container ends."""
    query: dict[str, str | list[str]] = {"condition": condition} if condition else {}
    return context.engine.call("POST", f"/containers/{container}/wait", query=query)


def exit_status(response: Response) -> int:
    answer = jsontext.loads(response.read())
    response.close()
    if answer.get("Error") and answer["Error"].get("Message"):
        raise Failure(f"Error waiting for container: {answer['Error']['Message']}", exit_code=125)
    return int(answer["StatusCode"])


def converse(session: Session, streams: set[str], *, tty: bool, follow_size: Callable[[], None] | None = None) -> None:
    """Pass bytes until the stream ends or the user detaches; the terminal is raw meanwhile where it should be."""
    stdin_fd = 0 if "stdin" in streams else None
    stdout_fd = 1 if "stdout" in streams else None
    stderr_fd = 2 if "stderr" in streams else None
    sys.stdout.flush()
    if not tty:
        session.run(stdin_fd=stdin_fd, stdout_fd=stdout_fd, stderr_fd=stderr_fd)
        return
    if follow_size is not None and os.isatty(1):
        follow_size()
    if stdin_fd is None or not os.isatty(0):
        session.run(stdin_fd=stdin_fd, stdout_fd=1)
        return
    with terminal.Raw(0):
        session.run(stdin_fd=stdin_fd, stdout_fd=1)


def size_follower(context: Context, path: str) -> Callable[[], None]:
    return lambda: signals.follow_size(context, path, 1)
