"""Making processes: the container's first by clone3(2), further ones (exec) by a fork that joins it."""

import os
import signal
import socket

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime import init, join, message, rootfs
from sampan.runtime.request import AttachStream
from sampan.runtime.shim.process import Pipes, Process
from sampan.runtime.shim.stdio import Stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.cgroup.detect import Cgroup
    from sampan.runtime.request import LaunchRequest
    from sampan.runtime.shim.control import Request
    from sampan.runtime.shim.main import Shim

# The cgroup namespace is not here: it is entered after the cgroups themselves (runtime.init).
NAMESPACES = {
    "mount": c.CLONE_NEWNS,
    "pid": c.CLONE_NEWPID,
    "uts": c.CLONE_NEWUTS,
    "ipc": c.CLONE_NEWIPC,
    "network": c.CLONE_NEWNET,
}


def clone_flags(spec: "dict[str, Any]") -> int:
    """The CLONE_NEW* of an OCI config: namespaces without a path are new."""
    found = 0
    for namespace in spec["linux"].get("namespaces") or []:
        if not namespace.get("path"):
            found |= NAMESPACES.get(namespace["type"], 0)
    return found


def clone_init(
    request: "LaunchRequest", cgroup: "Cgroup", pipes: "Pipes | None", *, netns_fd: int
) -> "tuple[int, int, socket.socket]":
    """Clone the first process and give it its cgroups: (pid, pidfd, our end of `sync`)."""
    spec = request.spec
    steps = rootfs.plan(spec, cgroup.folders)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stage = init.Stage(
        request,
        steps,
        theirs,
        stdio=pipes.theirs if pipes else None,
        netns_fd=netns_fd,
        staging=f"{request.exec_dir}/rootfs",
    )
    # Version 2 is joined by the clone itself, and a container without a cgroup namespace binds the directories early.
    early = cgroup.version == 2 or not stage.has_cgroup_ns
    if early:
        _limit(cgroup, spec)
    cgroup_fd = cgroup.clone_fd()
    pid, pidfd = syscalls.clone3(clone_flags(spec), exit_signal=signal.SIGCHLD, cgroup_fd=cgroup_fd)
    if pid == 0:
        init.run(stage)
    theirs.close()
    if cgroup_fd:
        os.close(cgroup_fd)
    try:
        if not early:
            _limit(cgroup, spec)
        fds = [] if cgroup.version == 2 else cgroup.entry_fds()
        message.send(ours, {"event": "cgroup"}, fds)
        for fd in fds:
            os.close(fd)
    except BaseException:
        syscalls.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        raise
    return pid, pidfd, ours


def _limit(cgroup: "Cgroup", spec: "dict[str, Any]") -> None:
    cgroup.create()
    cgroup.apply(spec["linux"].get("resources") or {})


def join_container(shim: "Shim", request: "Request") -> None:
    """Fork a process that joins the container; `request` is answered when it has executed its program, or could not."""
    body = request.body
    name, tty = body["id"], body["tty"]
    stdio = Stdio(shim.loop, log=None, close_input_at_end=not tty, on_drained=lambda: _leave(shim, name))
    pipes = None if tty else Pipes(with_input=body["stdin"])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    init_process = shim.init
    assert init_process is not None
    stage = join.JoinStage(
        body["process"],
        theirs,
        init_pidfd=init_process.pidfd,
        user=body["user"],
        groups=body["groups"],
        stdio=pipes.theirs if pipes else None,
        cgroup=None if shim.cgroup.version == 2 else shim.cgroup,
    )
    cgroup_fd = shim.cgroup.clone_fd()
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

    process = Process(
        shim.loop, pid, pidfd, ours, stdio, on_start=started, on_exit=lambda code: _exec_ended(shim, name, code)
    )
    shim.execs[name] = process


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
