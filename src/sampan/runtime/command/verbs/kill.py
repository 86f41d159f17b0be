"""`kill`: a signal to a container's first process, to all its processes, or to several containers."""

from sampan.errors import Conflict
from sampan.runtime.command import signals
from sampan.runtime.command.destroy import KILL, has_own_pids, kill_all
from sampan.runtime.command.options import Command, switch
from sampan.runtime.command.store import PAUSED, STOPPED, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command(
    "kill",
    "CONTAINER [SIGNAL]",
    "send a signal to a container's first process",
    (
        switch("all a", "send it to every process of the container"),
        switch("regex r", "CONTAINER is a regular expression: send it to all that match"),
    ),
    least=1,
    most=2,
    notes="SIGNAL is a name, with or without SIG, or a number; TERM when it is left out.",
)


def run(context: "Context", options: "Options") -> int:
    name, *rest = options.arguments
    number = signals.parse(rest[0] if rest else "TERM")
    if options["regex"]:
        from sampan.runtime.command.selection import matching

        for container in matching(context.root, name):
            if container.status() != STOPPED:
                kill(container, number, everything=options["all"])
        return 0
    kill(Container.load(context.root, name), number, everything=options["all"])
    return 0


def kill(container: Container, number: int, *, everything: bool) -> None:
    """Signal the first process, or all; Conflict when the container has stopped, unless all are meant."""
    if everything:
        kill_all(container, number)
        signals.send(container, number)
        return
    is_sent = signals.send(container, number)
    if number == KILL and (not has_own_pids(container) or container.status() == PAUSED):
        # Without a PID namespace the others live on, even when the first one has ended; and on cgroup v1 a frozen
        # process dies only when it is thawed.
        is_sent = is_sent or bool(container.cgroup().pids())
        kill_all(container, number)
    if not is_sent:
        raise Conflict("container not running")
