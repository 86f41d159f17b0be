"""`state`: the state of one container, with what runc adds to the specification's (rootfs, created, owner)."""

import sys

from sampan.runtime.command.options import Command
from sampan.runtime.command.output import indented
from sampan.runtime.command.store import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command("state", "CONTAINER", "print the state of a container")


def run(context: "Context", options: "Options") -> int:
    sys.stdout.write(indented(describe(Container.load(context.root, options.arguments[0]))) + "\n")
    return 0


def describe(container: Container) -> "dict[str, Any]":
    """State in runc's order of fields; `list` shows the same."""
    state = container.state()
    annotations = state.pop("annotations", None)
    pid, bundle, status = state["pid"], state["bundle"], state["status"]
    found = {"ociVersion": state["ociVersion"], "id": container.id, "pid": pid, "status": status, "bundle": bundle}
    found["rootfs"] = container.rootfs
    found["created"] = container.created
    if annotations:
        found["annotations"] = annotations
    return found | {"owner": owner_name(container.owner)}


def owner_name(uid: int) -> str:
    """The user's name; the number when it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
