"""`sampan history`: the steps an image was made of, newest first."""

from __future__ import annotations

import time

from sampan.cli.command import Command
from sampan.cli.container.ps import FORMAT_HELP
from sampan.cli.output import times, units
from sampan.cli.output.listing import Listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed

HEADINGS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
SHOWN = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")
COMMAND_WIDTH = 45
MISSING_ID = "<missing>"


def row(step: dict[str, Any], *, truncates: bool, is_human: bool, now_s: float) -> dict[str, Any]:
    created_s = step.get("Created", 0)
    created_by = step.get("CreatedBy", "").replace("\t", " ")
    identifier = step["Id"]
    has_time = created_s > 0
    created_at = times.rfc3339(created_s * times.NS) if has_time else ""
    since = (units.duration(now_s - created_s) + " ago") if has_time else "N/A"
    return {
        "ID": units.short_id(identifier) if truncates and identifier != MISSING_ID else identifier,
        "CreatedSince": since if is_human else created_at,
        "CreatedAt": created_at,
        "CreatedBy": units.ellipsis(created_by, COMMAND_WIDTH) if truncates else created_by,
        "Size": units.size(step.get("Size", 0), digits=3) if is_human else str(step.get("Size", 0)),
        "Comment": step.get("Comment", ""),
    }


def run(context: Context, parsed: Parsed) -> int:
    query: dict[str, str | list[str]] = {}
    if parsed["platform"]:
        from sampan.cli.image.platforms import platform_json

        query["platform"] = platform_json(parsed["platform"])
    steps = context.engine.get(f"/images/{parsed.arguments[0]}/history", query)
    is_human = parsed["human"]
    headings = HEADINGS if is_human else {**HEADINGS, "CreatedSince": "CREATED AT"}
    form = parsed["format"]
    if parsed["quiet"] and form in ("", "table"):
        form = "{{.ID}}"
    now_s = time.time()
    rows = [row(step, truncates=not parsed["no-trunc"], is_human=is_human, now_s=now_s) for step in steps]
    Listing(headings, SHOWN, "*formatter.historyContext").print(rows, form)
    return 0


COMMAND = Command(
    "[OPTIONS] IMAGE",
    "Show the history of an image",
    run=run,
    flags=(
        ("format", "", "string", FORMAT_HELP),
        ("human", "H", "bool-on", "Print sizes and dates in human readable format", "true"),
        ("no-trunc", "", "bool", "Don't truncate output"),
        (
            "platform",
            "",
            "string",
            'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
        ),
        ("quiet", "q", "bool", "Only show image IDs"),
    ),
    aliases=("image history", "history"),
    least=1,
    most=1,
)
