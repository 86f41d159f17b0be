"""POST /exec/{id}/start: run it, detached or joined to a client's connection.

With streams the 101 is answered before the process starts, so a failure is written into the stream, as Docker does.
"""

import asyncio
import os
import socket
from struct import pack
from types import TracebackType

import msgspec

from sampan import errors
from sampan.engine.containers.attach import DEFAULT_DETACH_KEYS, parse_detach_keys
from sampan.engine.containers.notify import notify
from sampan.engine.execs.create import check_ready
from sampan.engine.execs.registry import Exec, Execs
from sampan.engine.process import exec_process, granted
from sampan.engine.seccomp import filter_of, seccomp_of
from sampan.runtime.request import AttachStream

_PREFIX = "OCI runtime exec failed: exec failed: "
_STDOUT = 1


async def start(
    deps: Execs, exec_id: str, *, tty: bool = False, console_size: tuple[int, int] | None = None
) -> "Session":
    """Accept the start; the process starts when the session's stream is connected."""
    return Session(deps, _claimed(deps, exec_id, console_size))


async def start_detached(deps: Execs, exec_id: str) -> None:
    """Run it without streams; returns when execve(2) has succeeded."""
    await _run(deps, _claimed(deps, exec_id, None), None)


def _claimed(deps: Execs, exec_id: str, console_size: tuple[int, int] | None) -> Exec:
    """The exec, from now on this caller's to run."""
    found = deps.registry.get(exec_id)
    if found.exit_code is not None:
        raise errors.Conflict(f"exec command {exec_id} has already run")
    if found.has_started:
        raise errors.Conflict(f"exec command {exec_id} is already running")
    check_ready(found.container, found.container.id)
    found.has_started = True
    if console_size is not None:
        found.config = msgspec.structs.replace(found.config, console_size=console_size)
    return found


class Session:
    """An accepted start, on its way to its stream: `connect` or `close` it."""

    def __init__(self, deps: Execs, exec: Exec) -> None:
        self.tty = exec.config.tty
        self._deps = deps
        self._exec = exec
        self._is_connected = False

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the exec back when the stream did not come; idempotent."""
        if not self._is_connected:
            self._is_connected = True
            self._exec.has_started = False

    async def connect(self, fd: int, initial: bytes = b"") -> None:
        """Run the process on the client's socket, which is taken over."""
        self._is_connected = True
        config = self._exec.config
        keys = parse_detach_keys(config.detach_keys) if config.detach_keys else DEFAULT_DETACH_KEYS
        stream = AttachStream(
            fd,
            stdin=config.attach_stdin,
            stdout=config.attach_stdout,
            stderr=config.attach_stderr,
            framed=not config.tty,
            detach_keys=keys if config.tty else b"",
            initial=initial,
        )
        copy_fd = os.dup(fd)  # `exec` takes the other one over, also when it fails
        try:
            await _run(self._deps, self._exec, stream)
        except errors.Error as error:
            await _write_error(copy_fd, f"{error}\r\n".encode(), framed=not config.tty)
        finally:
            os.close(copy_fd)


async def _write_error(fd: int, text: bytes, *, framed: bool) -> None:
    piece = pack(">BxxxI", _STDOUT, len(text)) + text if framed else text
    with socket.socket(fileno=os.dup(fd)) as sock:
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_sendall(sock, piece)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the client has hung up; the exit code tells it when it asks


async def _run(deps: Execs, exec: Exec, stream: AttachStream | None) -> None:
    container, config = exec.container, exec.config
    program, args = exec.command
    shim = container.shim
    notify(deps.containers, container, f"exec_start: {program} {' '.join(args)}", execID=exec.id)
    try:
        if shim is None:
            raise errors.Conflict(f"container {container.id} is not running")
        host, facts = container.record.host, deps.containers.host
        exec.pid = await shim.exec(
            exec.id,
            exec_process(container.record, config, facts),
            user=config.user or container.record.config.user,
            groups=list(host.group_add or []),
            stream=stream,
            tty=config.tty,
            # A privileged exec is under the container's filter, too.
            filter=filter_of(seccomp_of(host, granted(host, facts), facts)),
        )
    except errors.StartFailed as error:
        exec.ended(error.exit_code, deps.containers.clock.now_ns())
        raise errors.StartFailed(_message(str(error)), exit_code=error.exit_code) from error
    except errors.Error:
        exec.ended(126, deps.containers.clock.now_ns())
        raise
    deps.containers.tasks.spawn(supervise(deps, exec), name=f"exec {exec.id[:12]}")


def _message(text: str) -> str:
    if text.startswith(("unable to find", "no matching entries", "OCI runtime ")):
        return text
    return f"{_PREFIX}unable to start container process: {text}"


async def supervise(deps: Execs, exec: Exec) -> None:
    """Wait for the end of an exec that runs, and note it."""
    shim = exec.container.shim
    try:
        exit_code = 137 if shim is None else await shim.wait_exec(exec.id)
    except errors.Error:
        exit_code = 137  # the container ended, and the exec with it
    exec.ended(exit_code, deps.containers.clock.now_ns())
    notify(deps.containers, exec.container, "exec_die", execID=exec.id, exitCode=str(exit_code))
