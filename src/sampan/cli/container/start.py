"""`sampan start`: containers that exist already; with -a or -i one of them, as `run` would show it."""

from __future__ import annotations

import sys

from sampan.cli.command import Command, Failure, write_error
from sampan.cli.container import attached
from sampan.errors import Error, NotModified

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed


def run(context: Context, parsed: Parsed) -> int:
    if parsed["attach"] or parsed["interactive"]:
        if len(parsed.arguments) > 1:
            raise Failure("you cannot start and attach multiple containers at once")
        return _start_attached(context, parsed)
    failed = []
    for name in parsed.arguments:
        try:
            _start(context, name)
        except Error as failure:
            write_error(str(failure))
            failed.append(name)
            continue
        sys.stdout.write(name + "\n")
        sys.stdout.flush()
    if failed:
        raise Failure(f"Error: failed to start containers: {', '.join(failed)}")
    return 0


def _start(context: Context, name: str) -> None:
    try:
        context.engine.post(f"/containers/{name}/start")
    except NotModified:
        return


def _start_attached(context: Context, parsed: Parsed) -> int:
    found = context.engine.get(f"/containers/{parsed.arguments[0]}/json")
    container, tty = found["Id"], found["Config"]["Tty"]
    streams = {"stdout", "stderr"}
    if parsed["interactive"] and found["Config"]["OpenStdin"]:
        streams.add("stdin")
    if parsed["attach"] and not tty:
        from sampan.cli import signals

        signals.proxy(context, container)
    keys = parsed["detach-keys"]
    session = attached.attach(context, container, streams=streams, tty=tty, detach_keys=keys)
    removes_itself = found["HostConfig"].get("AutoRemove", False)
    waiting = attached.begin_wait(context, container, condition="removed" if removes_itself else "next-exit")
    _start(context, container)
    attached.converse(
        session, streams, tty=tty, follow_size=attached.size_follower(context, f"/containers/{container}")
    )
    if session.detached:
        return 0
    return attached.exit_status(waiting)


COMMAND = Command(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Start one or more stopped containers",
    run=run,
    flags=(
        ("attach", "a", "bool", "Attach STDOUT/STDERR and forward signals"),
        ("detach-keys", "", "string", "Override the key sequence for detaching a container"),
        ("interactive", "i", "bool", "Attach container's STDIN"),
    ),
    aliases=("container start", "start"),
    least=1,
)
