"""`list`: the containers below --root, as a table, as JSON, or by id alone."""

import os
import sys

from sampan.base import jsontext
from sampan.errors import InvalidArgument
from sampan.runtime.command.options import Command, switch, text
from sampan.runtime.command.output import columns
from sampan.runtime.command.store import list_all
from sampan.runtime.command.verbs.state import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command(
    "list",
    "",
    "list containers",
    (
        text("format f", "how to print them: table or json", "FORMAT", "table"),
        switch("quiet q", "print ids only"),
    ),
    least=0,
    most=0,
)
_TITLES = ("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")


def run(context: "Context", options: "Options") -> int:
    form = options["format"]
    if form not in ("table", "json"):
        raise InvalidArgument("invalid format option")
    if not context.is_default_root:
        os.stat(context.root)
    containers = list_all(context.root)
    if options["quiet"]:
        sys.stdout.write("".join(f"{container.id}\n" for container in containers))
        return 0
    found = [describe(container) for container in containers]
    if form == "json":
        sys.stdout.write(jsontext.dumps(found) + "\n")
    else:
        sys.stdout.write(columns([list(_TITLES), *([str(one[name.lower()]) for name in _TITLES] for one in found)]))
    return 0
