"""`pause`: suspends all processes of a container through its cgroup's freezer."""

from sampan.errors import Conflict
from sampan.runtime.command.options import Command
from sampan.runtime.command.store import CREATED, RUNNING, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command("pause", "CONTAINER", "suspend all processes of a container")


def run(context: "Context", options: "Options") -> int:
    with Container.load(context.root, options.arguments[0]).locked() as container:
        status = container.status()
        if status not in (RUNNING, CREATED):
            raise Conflict(f"container not running: it is {status}")
        container.cgroup().freeze(frozen=True)
    return 0
