"""The commands that do one thing to each of several containers: stop, kill, restart, rm, wait."""

from __future__ import annotations

import sys

from sampan.cli.command import Command, Failure, Note, for_each
from sampan.errors import Error, InvalidArgument, NotFound, NotModified

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed
    from sampan.client.engine import Engine

    Query = dict[str, str | list[str]]


def _ending_query(parsed: Parsed) -> Query:
    query: Query = {}
    if parsed["signal"]:
        query["signal"] = parsed["signal"]
    if "timeout" in parsed.changed:
        query["t"] = str(parsed["timeout"])
    return query


def stop(context: Context, parsed: Parsed) -> int:
    query = _ending_query(parsed)

    def act(engine: Engine, name: str) -> None:
        try:
            engine.post(f"/containers/{name}/stop", query)
        except NotModified:
            return

    return for_each(context, parsed.arguments, act)


def restart(context: Context, parsed: Parsed) -> int:
    query = _ending_query(parsed)
    return for_each(context, parsed.arguments, lambda engine, name: engine.post(f"/containers/{name}/restart", query))


def kill(context: Context, parsed: Parsed) -> int:
    query: Query = {"signal": parsed["signal"]} if parsed["signal"] else {}
    return for_each(context, parsed.arguments, lambda engine, name: engine.post(f"/containers/{name}/kill", query))


def remove(context: Context, parsed: Parsed) -> int:
    query: Query = {
        field: "1" for flag, field in (("force", "force"), ("link", "link"), ("volumes", "v")) if parsed[flag]
    }

    def act(engine: Engine, name: str) -> object:
        bare = name.strip("/")
        if not bare:
            raise InvalidArgument("container name cannot be empty")
        try:
            return engine.delete(f"/containers/{bare}", query)
        except NotFound as failure:
            if not parsed["force"]:
                raise
            # What is not there needs no forcing: said, and no failure.
            return Note(str(failure))

    return for_each(context, parsed.arguments, act)


def wait(context: Context, parsed: Parsed) -> int:
    failures = []
    for name in parsed.arguments:
        try:
            answer = context.engine.post(f"/containers/{name}/wait", {})
        except Error as failure:
            failures.append(str(failure))
            continue
        sys.stdout.write(f"{answer['StatusCode']}\n")
        sys.stdout.flush()
    if failures:
        raise Failure("\n".join(failures))
    return 0


_MANY = "[OPTIONS] CONTAINER [CONTAINER...]"
_ENDING = (
    ("signal", "s", "string", "Signal to send to the container"),
    ("timeout", "t", "int", "Seconds to wait before killing the container"),
)
STOP = Command(
    _MANY,
    "Stop one or more running containers",
    run=stop,
    flags=_ENDING,
    aliases=("container stop", "stop"),
    least=1,
)
RESTART = Command(
    _MANY,
    "Restart one or more containers",
    run=restart,
    flags=_ENDING,
    aliases=("container restart", "restart"),
    least=1,
)
KILL = Command(
    _MANY,
    "Kill one or more running containers",
    run=kill,
    flags=_ENDING[:1],
    aliases=("container kill", "kill"),
    least=1,
)
RM = Command(
    _MANY,
    "Remove one or more containers",
    run=remove,
    flags=(
        ("force", "f", "bool", "Force the removal of a running container (uses SIGKILL)"),
        ("link", "l", "bool", "Remove the specified link"),
        ("volumes", "v", "bool", "Remove anonymous volumes associated with the container"),
    ),
    aliases=("container rm", "container remove", "rm"),
    least=1,
)
WAIT = Command(
    "CONTAINER [CONTAINER...]",
    "Block until one or more containers stop, then print their exit codes",
    run=wait,
    aliases=("container wait", "wait"),
    least=1,
)
