"""`sampan logs`: what a container wrote."""

from __future__ import annotations

import sys

from sampan.cli.command import Command
from sampan.cli.streams import write_all, write_frames
from sampan.client.frames import Demultiplexer
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed


def run(context: Context, parsed: Parsed) -> int:
    from sampan.cli.output import times

    found = context.engine.get(f"/containers/{parsed.arguments[0]}/json")
    query: dict[str, str | list[str]] = {"stdout": "1", "stderr": "1", "tail": parsed["tail"] or "all"}
    for flag in ("details", "follow", "timestamps"):
        if parsed[flag]:
            query[flag] = "1"
    for flag in ("since", "until"):
        if parsed[flag]:
            try:
                query[flag] = times.query_timestamp(parsed[flag])
            except InvalidArgument as cause:
                raise InvalidArgument(f'invalid value for "{flag}": {cause}') from cause
    response = context.engine.call("GET", f"/containers/{found['Id']}/logs", query=query)
    sys.stdout.flush()
    demultiplexer = Demultiplexer()
    for piece in response.pieces():
        if found["Config"]["Tty"]:
            write_all(1, [memoryview(piece)])
        else:
            write_frames(demultiplexer, memoryview(piece), 1, 2)
    return 0


COMMAND = Command(
    "[OPTIONS] CONTAINER",
    "Fetch the logs of a container",
    run=run,
    flags=(
        ("details", "", "bool", "Show extra details provided to logs"),
        ("follow", "f", "bool", "Follow log output"),
        (
            "since",
            "",
            "string",
            'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
        ),
        ("tail", "n", "string", "Number of lines to show from the end of the logs", '"all"'),
        ("timestamps", "t", "bool", "Show timestamps"),
        (
            "until",
            "",
            "string",
            'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
        ),
    ),
    aliases=("container logs", "logs"),
    least=1,
    most=1,
)
