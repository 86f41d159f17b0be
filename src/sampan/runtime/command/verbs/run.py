"""`run`: create, start and, unless detached, wait for a container and remove it."""

import os

from sampan.runtime.command import guard, notify
from sampan.runtime.command.destroy import destroy
from sampan.runtime.command.launch import Launch
from sampan.runtime.command.options import Command, switch
from sampan.runtime.command.supervision import run_late_hooks
from sampan.runtime.command.verbs import create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

FLAGS = (
    *create.FLAGS,
    switch("detach d", "return as soon as the program runs"),
    switch("keep", "leave the stopped container, to be deleted by hand"),
)
COMMAND = Command("run", "CONTAINER", "make a container and run its program", FLAGS)


def run(context: "Context", options: "Options") -> int:
    guard.enter()
    is_detached = options["detach"]
    launch = create.prepared(context, options, gate=False, is_detached=is_detached)
    waiting = notify.wanted(launch.container.directory)
    wakeup = -1 if is_detached else _listen()
    try:
        launch.start()
        run_late_hooks(context, launch.spec, "poststart", launch.container.state("running"))
    except BaseException:
        launch.undo()
        raise
    if is_detached:
        if waiting is not None:
            waiting.until_ready(launch.pid, launch.pidfd)
        os.close(launch.pidfd)
        return 0
    code = _wait(launch, wakeup, waiting)
    if not options["keep"]:
        destroy(context, launch.container)
    return code


def _listen() -> int:
    from sampan.runtime.command import foreground

    return foreground.listen()


def _wait(launch: Launch, wakeup: int, waiting: "notify.Waiting | None") -> int:
    from sampan.runtime.command import foreground

    return foreground.wait(launch.pid, launch.pidfd, wakeup, launch.terminal_fd, waiting)
