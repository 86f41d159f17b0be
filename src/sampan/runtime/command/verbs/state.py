"""`state`: the state of one container, with what runc adds to the specification's (rootfs, created, owner)."""

import sys
import time

from sampan.runtime.command.options import Command
from sampan.runtime.command.output import indented
from sampan.runtime.command.store import CREATING, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

PATIENCE_S = 5.0

COMMAND = Command("state", "CONTAINER", "print the state of a container")


def run(context: "Context", options: "Options") -> int:
    container = Container.load(context.root, options.arguments[0])
    _wait_for_process(container)
    sys.stdout.write(indented(describe(container)) + "\n")
    return 0


def _wait_for_process(container: Container) -> None:
    # A container is there as soon as its id is taken. Who finds it in that moment wants to know what becomes of it;
    # hooks, which `create` waits for, run when there is a process.
    deadline = time.monotonic() + PATIENCE_S
    while not container.pid and container.status() == CREATING and time.monotonic() < deadline:
        time.sleep(0.002)
        container.reload()
    # "ready" follows the pid closely, unless a hook takes its time: what is not ready by then is creating.


def describe(container: Container) -> "dict[str, Any]":
    """State in runc's order of fields; `list` shows the same."""
    state = container.state()
    annotations = state.pop("annotations", None)
    pid, bundle, status = state["pid"], state["bundle"], state["status"]
    found = {"ociVersion": state["ociVersion"], "id": container.id, "pid": pid, "status": status, "bundle": bundle}
    found["rootfs"] = container.rootfs
    if container.cgroup_manager == "systemd":
        found["systemd-scope"] = container.cgroup().unit
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
