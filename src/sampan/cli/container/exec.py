"""`sampan exec`: another process in a running container.

Exit codes  the process's; 126 and 127 when it could not be executed or found.
"""

from __future__ import annotations

from sampan.cli import terminal
from sampan.cli.command import Command, Failure
from sampan.cli.container import attached
from sampan.cli.create import envfile
from sampan.cli.streams import Session
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed


def exec_body(parsed: Parsed) -> dict[str, Any]:
    is_attached = not parsed["detach"]
    body: dict[str, Any] = {
        "AttachStdin": is_attached and parsed["interactive"],
        "AttachStdout": is_attached,
        "AttachStderr": is_attached,
        "Tty": parsed["tty"],
        "Cmd": parsed.arguments[1:],
    }
    environment = envfile.read(parsed["env-file"], fills_from_environment=True) + envfile.resolve(parsed["env"])
    if environment:
        body["Env"] = environment
    for flag, field in (
        ("user", "User"),
        ("workdir", "WorkingDir"),
        ("privileged", "Privileged"),
        ("detach-keys", "DetachKeys"),
    ):
        if parsed[flag]:
            body[field] = parsed[flag]
    return body


def run(context: Context, parsed: Parsed) -> int:
    try:
        body = exec_body(parsed)
        keys = attached.key_watch(parsed["detach-keys"], tty=body["Tty"])
    except InvalidArgument as cause:
        raise Failure(str(cause)) from cause
    tty = body["Tty"]
    if not parsed["detach"]:
        attached.check_tty(tty=tty, stdin=body["AttachStdin"])
    start: dict[str, Any] = {"Detach": parsed["detach"], "Tty": tty}
    if tty and (size := terminal.size(1)):
        start["ConsoleSize"] = body["ConsoleSize"] = list(size)
    exec_id = context.engine.post(f"/containers/{parsed.arguments[0]}/exec", json=body)["Id"]
    path = f"/exec/{exec_id}"
    if parsed["detach"]:
        context.engine.post(f"{path}/start", json=start)
        return 0
    socket, early = context.engine.hijack(f"{path}/start", json=start).hijack()
    session = Session(socket, early, tty=tty, keys=keys)
    streams = {"stdout", "stderr"} | ({"stdin"} if body["AttachStdin"] else set())
    attached.converse(session, streams, tty=tty, follow_size=attached.size_follower(context, path))
    if session.detached:
        raise Failure("read escape sequence")
    return int(context.engine.get(f"{path}/json")["ExitCode"] or 0)


COMMAND = Command(
    "[OPTIONS] CONTAINER COMMAND [ARG...]",
    "Execute a command in a running container",
    run=run,
    flags=(
        ("detach", "d", "bool", "Detached mode: run command in the background"),
        ("detach-keys", "", "string", "Override the key sequence for detaching a container"),
        ("env", "e", "env", "Set environment variables"),
        ("env-file", "", "list", "Read in a file of environment variables"),
        ("interactive", "i", "bool", "Keep STDIN open even if not attached"),
        ("privileged", "", "bool", "Give extended privileges to the command"),
        ("tty", "t", "bool", "Allocate a pseudo-TTY"),
        ("user", "u", "string", 'Username or UID (format: "<name|uid>[:<group|gid>]")'),
        ("workdir", "w", "string", "Working directory inside the container"),
    ),
    aliases=("container exec", "exec"),
    least=2,
    stops_at_argument=True,
)
