"""The end of a container: its processes, its cgroup, its Intel RDT group, its state, its poststop hooks.

Order       1. processes (with a PID namespace of its own, the end of the first one ends the others)
            2. cgroup and RDT group
            3. the state directory: from here on the id is free and the container does not exist
            4. poststop hooks. A hook that fails is reported and does not stop the others (runtime.md, "Lifecycle" 13)
            A step that fails half-way leaves the container behind, to be deleted again.
"""

from sampan.errors import Conflict
from sampan.runtime.command import signals
from sampan.runtime.command.store import STOPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.store import Container

KILL = 9
PATIENCE_S = 10.0
_QUICK_S = 0.2
_CGROUP_PATIENCE_S = 5.0


def kill_and_destroy(context: "Context", container: "Container") -> None:
    """`delete --force`, and what becomes of a container that was never started."""
    signals.send(container, KILL)
    kill_all(container, KILL)
    if not signals.wait_end(container, _QUICK_S):
        _thaw(container.pid)
        if not signals.wait_end(container, PATIENCE_S):
            raise Conflict("container init still running")
    destroy(context, container)


def _thaw(pid: int) -> None:
    """Somebody may have moved the process into a frozen cgroup of his own, where version 1 lets no signal in."""
    from sampan.runtime.cgroup.detect import hierarchies

    freezer = hierarchies().v1.get("freezer")
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
        path = next((path for _, controllers, path in lines if controllers == "freezer"), "/")
        if freezer and path != "/":
            with open(f"{freezer}{path}/freezer.state", "w", encoding="utf-8") as file:
                file.write("THAWED")
    except OSError:
        return  # it has ended, or there is nothing to thaw


def kill_all(container: "Container", number: int) -> None:
    """Signal every process in the container's cgroup, frozen ones with SIGKILL as well."""
    if container.cgroup_manager != "disabled":
        container.cgroup().kill(number)


def has_own_pids(container: "Container") -> bool:
    """Whether the container has a PID namespace that ends with its first process."""
    spaces = (container.spec.get("linux") or {}).get("namespaces") or []
    return any(space.get("type") == "pid" and not space.get("path") for space in spaces)


def destroy(context: "Context", container: "Container") -> None:
    """Remove a container whose first process has ended."""
    spec = container.spec
    if not has_own_pids(container):
        kill_all(container, KILL)
    _remove_cgroup(context, container)
    _remove_rdt(context, container, spec)
    state = container.state(STOPPED)
    container.remove()
    run_poststop(context, (spec.get("hooks") or {}).get("poststop") or [], state)


def _remove_cgroup(context: "Context", container: "Container") -> None:
    if container.cgroup_manager == "disabled":
        return
    try:
        container.cgroup().remove(patience_s=_CGROUP_PATIENCE_S)
    except PermissionError as error:
        if not context.rootless:
            raise
        context.log.warning(f"cannot remove the cgroup of {container.id}: {error.strerror}")


def _remove_rdt(context: "Context", container: "Container", spec: "dict[str, Any]") -> None:
    config = (spec.get("linux") or {}).get("intelRdt")
    if not config:
        return
    from sampan.runtime import resctrl

    try:
        resctrl.group_for(config, container.id).remove()
    except OSError as error:
        context.log.warning(f"cannot remove the RDT group of {container.id}: {error}")


def run_poststop(context: "Context", hooks: "list[dict[str, Any]]", state: "dict[str, Any]") -> None:
    """The hooks that see a container off; what goes wrong is logged."""
    if not hooks:
        return
    from sampan.runtime import hooks as hook_runner

    hook_runner.run(hooks, state, kind="poststop", log=context.log.warning, directory=state["bundle"])
