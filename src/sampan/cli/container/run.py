"""`sampan run`: create, attach, start, and be the container's terminal until it ends.

Exit codes  the container's; 125 the engine refused, 126 the command cannot be executed, 127 it was not found.
"""

from __future__ import annotations

import sys

from sampan.cli import terminal
from sampan.cli.command import Command, Failure
from sampan.cli.container import attached
from sampan.cli.container.create import create, make_body, with_help
from sampan.cli.create.flags import RUN_ONLY, SHARED, by_name
from sampan.errors import Error, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed
    from sampan.cli.streams import Session
    from sampan.client.transport import Response

NOT_FOUND_TEXTS = ("executable file not found", "no such file or directory", "system cannot find the file specified")
CANNOT_RUN_TEXTS = ("permission denied", "is a directory")


def exit_code_of(message: str) -> int:
    """What a failed start means, read from the message as docker reads it: the API has no code for it."""
    if any(text in message for text in NOT_FOUND_TEXTS):
        return 127
    return 126 if any(text in message for text in CANNOT_RUN_TEXTS) else 125


def _failure(cause: Error) -> Failure:
    return Failure(with_help(str(cause), "run"), exit_code=exit_code_of(str(cause)))


def run(context: Context, parsed: Parsed) -> int:
    body = make_body(parsed, "run")
    tty, is_detached = parsed["tty"], parsed["detach"]
    if is_detached and parsed["attach"]:
        raise Failure("conflicting options: cannot specify both --attach and --detach")
    if not is_detached:
        attached.check_tty(tty=tty, stdin=body["AttachStdin"])
    if tty and (size := terminal.size(1)):
        body["HostConfig"]["ConsoleSize"] = list(size)
    try:
        attached.key_watch(parsed["detach-keys"], tty=tty)
        container = create(context, parsed, body)
    except InvalidArgument as cause:
        raise Failure(with_help(str(cause), "run"), exit_code=125) from cause
    except Error as cause:
        raise Failure(with_help(str(cause), "run"), exit_code=125) from cause
    if is_detached:
        return _start_detached(context, container)
    return _run_attached(context, container, parsed, body)


def _start_detached(context: Context, container: str) -> int:
    try:
        context.engine.post(f"/containers/{container}/start")
    except Error as cause:
        raise _failure(cause) from cause
    sys.stdout.write(container + "\n")
    return 0


def _run_attached(context: Context, container: str, parsed: Parsed, body: dict[str, Any]) -> int:
    streams = {name for name in ("stdin", "stdout", "stderr") if body["Attach" + name.capitalize()]}
    tty = parsed["tty"]
    session: Session | None = None
    if parsed["sig-proxy"]:
        from sampan.cli import signals

        signals.proxy(context, container)
    try:
        if streams:
            session = attached.attach(context, container, streams=streams, tty=tty, detach_keys=parsed["detach-keys"])
        waiting = attached.begin_wait(context, container, condition="removed" if parsed["rm"] else "next-exit")
        context.engine.post(f"/containers/{container}/start")
    except Error as cause:
        raise _failure(cause) from cause
    if session is None:
        return attached.exit_status(waiting)
    return _converse(context, container, session, streams, waiting, tty=tty)


def _converse(
    context: Context, container: str, session: Session, streams: set[str], waiting: Response, *, tty: bool
) -> int:
    attached.converse(
        session, streams, tty=tty, follow_size=attached.size_follower(context, f"/containers/{container}")
    )
    if session.detached:
        return 0
    return attached.exit_status(waiting)


COMMAND = Command(
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create and run a new container from an image",
    run=run,
    flags=by_name(SHARED + RUN_ONLY),
    aliases=("container run", "run"),
    least=1,
    stops_at_argument=True,
)
