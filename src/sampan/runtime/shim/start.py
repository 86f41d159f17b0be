"""Making processes: the container's first by clone3(2), further ones (exec) by a clone that joins it."""

import _socket as socket
import os

from sampan.linux import syscalls
from sampan.runtime import init, join
from sampan.runtime.filter import Filter
from sampan.runtime.request import AttachStream
from sampan.runtime.restrict import StageError
from sampan.runtime.shim.process import Pipes, Process
from sampan.runtime.shim.stdio import Stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any

    from sampan.runtime.shim.control import Request
    from sampan.runtime.shim.main import Shim
else:
    import _signal as signal  # the same functions without the enums around them


class Newborn:
    """A first process that waits for its request."""

    __slots__ = ("pid", "pidfd", "sync")

    def __init__(self, pid: int, pidfd: int, sync: socket.socket) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.sync = sync

    @property
    def is_alive(self) -> bool:
        return os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def clone_init(flags: int, *, cgroup_fd: int = 0, prepare: "Callable[[], None]" = lambda: None) -> Newborn:
    """Clone a first process into new namespaces (and a version 2 cgroup); it calls `prepare` before it waits."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid, pidfd = syscalls.clone3(flags, exit_signal=signal.SIGCHLD, cgroup_fd=cgroup_fd)
    if pid == 0:
        ours.close()
        init.run(theirs, prepare)
    theirs.close()
    return Newborn(pid, pidfd, ours)


def join_container(shim: "Shim", request: "Request") -> None:
    """Fork a process that joins the container; `request` is answered when it has executed its program, or could not."""
    body = request.body
    name, tty = body["id"], body["tty"]
    stdio = Stdio(shim.loop, log=None, close_input_at_end=not tty, on_drained=lambda: _leave(shim, name))
    pipes = None if tty else Pipes(with_input=body["stdin"], owner=shim.orders.stdio_owner)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    init_process = shim.init
    assert init_process is not None
    stage = join.JoinStage(
        body["process"],
        theirs,
        init_pidfd=init_process.pidfd,
        flags=shim.orders.join_flags,
        user=body["user"],
        groups=body["groups"],
        stdio=pipes.theirs if pipes else None,
        cgroup=None if shim.cgroup.version == 2 else shim.cgroup,
        filter=Filter.from_json(body.get("filter")),
    )
    cgroup_fd = shim.cgroup.clone_fd(init_process.pid)
    pid, pidfd = syscalls.clone3(0, exit_signal=signal.SIGCHLD, cgroup_fd=cgroup_fd)
    if pid == 0:
        join.run(stage)
    theirs.close()
    if cgroup_fd:
        os.close(cgroup_fd)
    if pipes is not None:
        pipes.close_theirs()
        stdio.open_pipes(*pipes.ours)
    if request.fds:
        stdio.attach(AttachStream.from_json(request.fds.pop(0), body["stream"]))

    def started(error: "dict[str, Any] | None") -> None:
        if error is None:
            request.succeed(pid=pid)
            return
        process.abandon()
        del shim.execs[name]
        request.fail("StartFailed", str(error["message"]), exit_code=error["exit_code"])
        stdio.close()

    def heard(event: "dict[str, Any]", fds: "list[int]") -> None:
        if event["event"] == "listener" and hand_listener(event, fds[0], container_id=shim.orders.id, pid=pid):
            process.kill(signal.SIGKILL)  # nobody would answer its system calls

    process = Process(
        shim.loop,
        pid,
        pidfd,
        ours,
        stdio,
        on_start=started,
        on_exit=lambda code: _exec_ended(shim, name, code),
        on_event=heard,
    )
    shim.execs[name] = process


def hand_listener(event: "dict[str, Any]", fd: int, *, container_id: str, pid: int) -> str:
    """Give a filter's listener to the agent that its profile names; returns why that failed, or ""."""
    from sampan.runtime import consolesocket

    state = {"ociVersion": "1.2.1", "id": container_id, "status": "creating", "pid": pid, "bundle": ""}
    try:
        consolesocket.send_listener(event["path"], fd, state, pid=pid, metadata=event["metadata"])
        return ""
    except StageError as error:
        return str(error)
    finally:
        os.close(fd)


def _exec_ended(shim: "Shim", name: str, code: int) -> None:
    # First the news, then the end of the client's stream: who sees the stream end may ask for the exit code at once.
    shim.tell({"event": "exec_exit", "id": name, "exit_code": code})
    _leave(shim, name)


def _leave(shim: "Shim", name: str) -> None:
    """Let an exec go when it has ended and all its output is delivered."""
    process = shim.execs.get(name)
    if process is None or process.exit_code is None or not process.stdio.is_drained:
        return
    if process.stdio.has_unsent:
        shim.loop.after(0.01, lambda: _leave(shim, name))
        return
    del shim.execs[name]
    os.close(process.pidfd)
    process.stdio.close()
