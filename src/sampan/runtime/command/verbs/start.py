"""`start`: the program of a created container runs."""

import _socket as socket
import os

from sampan.errors import Conflict
from sampan.runtime.command import notify, store
from sampan.runtime.command.options import Command
from sampan.runtime.command.store import Container
from sampan.runtime.command.supervision import LaunchFailed, go, run_late_hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command("start", "CONTAINER", "run the program of a created container")


def run(context: "Context", options: "Options") -> int:
    container = Container.load(context.root, options.arguments[0])
    with container.locked():
        _check(container)
        gate = _through_the_gate(container)
        waiting = notify.wanted(container.directory)
        pidfd = os.pidfd_open(container.pid) if waiting else -1
        go(gate, container.state(store.CREATED))
        _run_poststart(context, container)
    if waiting is not None:
        waiting.until_ready(container.pid, pidfd)
    return 0


def _run_poststart(context: "Context", container: Container) -> None:
    if (container.spec.get("hooks") or {}).get("poststart"):
        try:
            run_late_hooks(context, container.spec, "poststart", container.state(store.RUNNING))
        except LaunchFailed:
            from sampan.runtime.command.destroy import kill_and_destroy

            kill_and_destroy(context, container)
            raise


def _check(container: Container) -> None:
    status = container.status()
    if status == store.CREATED:
        return
    if status == store.STOPPED:
        raise Conflict("cannot start a container that has stopped")
    if status == store.RUNNING:
        raise Conflict("cannot start an already running container")
    raise Conflict(f"cannot start a container in the {status} state")


def _through_the_gate(container: Container) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir(container.directory)  # an address has 108 bytes at most
    try:
        sock.connect(os.path.basename(container.exec_fifo))
        os.unlink(container.exec_fifo)
    except OSError as error:
        sock.close()
        raise Conflict(f"container {container.id} cannot be started: {error.strerror}") from error
    finally:
        os.fchdir(here)
        os.close(here)
    return sock
