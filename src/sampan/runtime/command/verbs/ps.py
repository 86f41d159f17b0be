"""`ps`: the processes of a container, as ps(1) shows them (options behind the id are its own), or as a JSON list."""

import sys

from sampan.base import jsontext
from sampan.errors import Conflict, InvalidArgument, NotFound
from sampan.runtime.command.options import MANY, Command, text
from sampan.runtime.command.store import STOPPED, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command(
    "ps",
    "CONTAINER [PS OPTIONS]",
    "list the processes of a container",
    (text("format f", "how to print them: table or json", "FORMAT", "table"),),
    least=1,
    most=MANY,
    in_order=True,
)


def run(context: "Context", options: "Options") -> int:
    form = options["format"]
    if form not in ("table", "json"):
        raise InvalidArgument("invalid format option")
    name, *words = options.arguments
    container = Container.load(context.root, name)
    if container.cgroup_manager == "disabled":
        raise Conflict("the container is not using cgroups")
    pids = sorted(container.cgroup().pids()) if container.status() != STOPPED else []
    if form == "json":
        sys.stdout.write(jsontext.dumps(pids) + "\n")
    else:
        sys.stdout.write(select(_listing(words or ["-ef"]), set(pids)))
    return 0


def _listing(words: "list[str]") -> str:
    import subprocess

    try:
        done = subprocess.run(["ps", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except FileNotFoundError:
        raise NotFound("the program ps is not installed; --format json does without") from None
    output = done.stdout.decode("utf-8", "surrogateescape")
    if done.returncode:
        raise InvalidArgument(f"ps: exit status {done.returncode}: {output}")
    return output


def select(listing: str, pids: "set[int]") -> str:
    """The title of ps(1)'s output and the lines of `pids`."""
    title, _, rest = listing.partition("\n")
    names = title.split()
    if "PID" not in names:
        raise InvalidArgument("couldn't find PID field in ps output")
    column = names.index("PID")
    lines = [line for line in rest.splitlines() if line and int(line.split()[column]) in pids]
    return "".join(f"{line}\n" for line in [title, *lines])
