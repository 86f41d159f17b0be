"""`sampan events`: what happens in the engine, as it happens."""

from __future__ import annotations

import sys

from sampan.cli.command import Command
from sampan.cli.output import document, times
from sampan.client import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed


def line_of(event: dict[str, Any]) -> str:
    moment_ns = event.get("timeNano") or event["time"] * times.NS
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    line = f"{times.rfc3339(moment_ns, digits=9)} {event['Type']} {event['Action']} {actor.get('ID', '')}"
    if attributes:
        line += " (" + ", ".join(f"{name}={attributes[name]}" for name in sorted(attributes)) + ")"
    return line


def run(context: Context, parsed: Parsed) -> int:
    form = parsed["format"]
    template = None if form in ("", "json") else document.parse_template(form)
    query: dict[str, str | list[str]] = {}
    for flag in ("since", "until"):
        if parsed[flag]:
            query[flag] = times.query_timestamp(parsed[flag])
    if parsed["filter"]:
        from sampan.cli.container.ps import filters_query

        query["filters"] = filters_query(parsed["filter"])
    response = context.engine.call("GET", "/events", query=query)
    for event in jsontext.values(response.pieces()):
        if template is not None:
            line = document.render(template, event)
        else:
            line = jsontext.dumps(event) if form else line_of(event)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


COMMAND = Command(
    "[OPTIONS]",
    "Get real time events from the server",
    run=run,
    flags=(
        ("filter", "f", "filter", "Filter output based on conditions provided"),
        ("format", "", "string", document.FORMAT_HELP),
        ("since", "", "string", "Show all events created since timestamp"),
        ("until", "", "string", "Stream events until this timestamp"),
    ),
    aliases=("system events", "events"),
    most=0,
)
