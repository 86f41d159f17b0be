"""What a supervisor of a first process does on the host: says go, runs hooks, hands descriptors on, writes the pid.

Errors      LaunchFailed with what the process, a hook or the kernel said.
"""

import _socket as socket
import os

from sampan.errors import Error
from sampan.runtime import message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context


class LaunchFailed(Error):
    """The process did not come to run; `exit_code` is what a shell would say."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def go(sync: socket.socket, state: "dict[str, Any]") -> None:
    """Say "go" and wait until the program runs; LaunchFailed when it does not."""
    try:
        message.send(sync, {"event": "go", "state": state})
        found = message.receive(sync)
    except OSError as error:
        raise LaunchFailed(f"the container's first process is gone: {error.strerror}") from error
    finally:
        sync.close()
    if found is not None:
        raise LaunchFailed(str(found[0]["message"]), int(str(found[0]["exit_code"])))


def run_late_hooks(context: "Context", spec: "dict[str, Any]", kind: str, state: "dict[str, Any]") -> None:
    """The hooks poststart (LaunchFailed when one fails) and poststop (which only warn)."""
    run_hooks(spec.get("hooks") or {}, kind, state, context)


def run_hooks(found: "dict[str, Any]", kind: str, state: "dict[str, Any]", context: "Context") -> None:
    """Run the hooks of one kind, if the config's `found` has any; LaunchFailed when one fails."""
    if not found.get(kind):
        return
    from sampan.runtime import hooks

    try:
        hooks.run(found[kind], state, kind=kind, log=context.log.warning, directory=state["bundle"])
    except hooks.HookError as error:
        raise LaunchFailed(str(error)) from error


def hand_terminal(path: str, fd: int) -> None:
    """Give a terminal's master to whoever listens at `path`; the descriptor is closed."""
    from sampan.runtime import consolesocket

    try:
        sock = consolesocket.connect_console(path)
        try:
            consolesocket.send_terminal(sock, fd)
        finally:
            sock.close()
    finally:
        os.close(fd)


def hand_pidfd(path: str, pidfd: int) -> None:
    """Send a process's pidfd to whoever listens at `path`."""
    from sampan.runtime import consolesocket

    try:
        sock = consolesocket.connect(path)
        try:
            consolesocket.send_fd(sock, b"pidfd", pidfd)
        finally:
            sock.close()
    except OSError as error:
        raise LaunchFailed(f"cannot send the pidfd to {path}: {error.strerror}") from error


def hand_listener(event: "dict[str, Any]", fd: int, state: "dict[str, Any]", *, pid: int) -> None:
    """Give the listener of a filter to the agent that the event names; the descriptor is closed."""
    from sampan.runtime import consolesocket

    try:
        consolesocket.send_listener(event["path"], fd, state, pid=pid, metadata=event["metadata"])
    finally:
        os.close(fd)


def write_pid(path: str, pid: int) -> None:
    """A pid file appears with its content, never empty."""
    temporary = f"{path}.{os.getpid()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        os.write(fd, str(pid).encode())
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    finally:
        os.close(fd)
