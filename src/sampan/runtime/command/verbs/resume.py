"""`resume`: lets the processes of a paused container go on."""

from sampan.errors import Conflict
from sampan.runtime.command.options import Command
from sampan.runtime.command.store import PAUSED, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command("resume", "CONTAINER", "let the processes of a paused container go on")


def run(context: "Context", options: "Options") -> int:
    with Container.load(context.root, options.arguments[0]).locked() as container:
        status = container.status()
        if status != PAUSED:
            raise Conflict(f"container not paused: it is {status}")
        container.cgroup().freeze(frozen=False)
    return 0
