"""Commands of another runtime: runc's command line (docs of runc(8)), run without blocking the shim.

    RUNTIME [its own arguments] --root <exec_dir>/runtime --log <exec_dir>/log-<n>.json --log-format json VERB ... ID

Child       is cloned, prepares what the command needs, and executes it in a mount namespace of its own (`view`). It
            dies with the shim, so that whoever cleans up finds nothing that is still being made.
Errors      A command fails by its exit status and says why in the last line of its log. Our own failures in the child
            are written there in the same way, with the "exit_code" that a shell would give.
"""

import os
import sys

from sampan.base import jsontext
from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime import restrict
from sampan.runtime.restrict import CLOSE_RANGE_CLOEXEC, StageError
from sampan.runtime.shim.foreign.children import Children
from sampan.runtime.shim.foreign.view import leave_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, NoReturn

    from sampan.runtime.shim.loop import Loop

    Streams = tuple[int, int, int]
else:
    import _signal as signal  # the same functions without the enums around them

ROOT = "runtime"
KILL_PATIENCE_S = 5.0


class Result:
    """How a command ended: `error` is "" for success; `exit_code` is ours when we failed before the runtime ran."""

    __slots__ = ("error", "exit_code")

    def __init__(self, error: str = "", exit_code: int = 0) -> None:
        self.error = error
        self.exit_code = exit_code


class _Running:
    """One command under way."""

    __slots__ = ("is_silent", "log_path", "on_done", "pid", "timed_out")

    def __init__(self, pid: int, log_path: str, on_done: "Callable[[Result], None]") -> None:
        self.pid = pid
        self.log_path = log_path
        self.on_done = on_done
        self.is_silent = False
        self.timed_out = False


class Commands:
    """Runs commands for one container; several may be under way."""

    def __init__(self, loop: "Loop", children: Children, runtime: "dict[str, Any]", *, exec_dir: str, id: str) -> None:
        self._loop = loop
        self._children = children
        self._runtime = runtime
        self._exec_dir = exec_dir
        self._id = id
        self._number = 0
        self._running: list[_Running] = []
        self._when_idle: Callable[[], None] | None = None

    def run(
        self,
        verb: str,
        *options: str,
        on_done: "Callable[[Result], None]",
        tail: "tuple[str, ...]" = (),
        prepare: "Callable[[], None] | None" = None,
        streams: "Streams | None" = None,
        timeout_s: float = 0.0,
    ) -> None:
        """Run one; `tail` follows the container's id, `timeout_s` 0 is for ever.

        `prepare` is called in the child in place of `leave_host`.
        """
        self._number += 1
        log_path = f"{self._exec_dir}/log-{self._number}.json"
        argv = command_line(self._runtime, self._exec_dir, log_path, [verb, *options, self._id, *tail])
        pid, pidfd = syscalls.clone3(0, exit_signal=signal.SIGCHLD)
        if pid == 0:
            become(argv, log_path, prepare, streams)
        os.close(pidfd)
        running = _Running(pid, log_path, on_done)
        self._running.append(running)
        self._children.expect()
        self._children.watch(pid, lambda code: self._ended(running, code))
        if timeout_s:
            self._loop.after(timeout_s, lambda: self._late(running))

    def _late(self, running: _Running) -> None:
        if running in self._running:
            running.timed_out = True
            os.kill(running.pid, signal.SIGKILL)

    def _ended(self, running: _Running, code: int) -> None:
        self._running.remove(running)
        if not running.is_silent:
            result = Result("the runtime did not finish in time") if running.timed_out else result_of(running, code)
            running.on_done(result)
        self._children.settle()
        if not self._running and self._when_idle is not None:
            action, self._when_idle = self._when_idle, None
            action()

    def abandon(self, then: "Callable[[], None]") -> None:
        """Kill what is under way, nobody is told of it; then go on, also when something will not die."""
        for running in self._running:
            running.is_silent = True
            os.kill(running.pid, signal.SIGKILL)
        if not self._running:
            then()
            return
        self._when_idle = then
        self._loop.after(KILL_PATIENCE_S, self._go_on)

    def _go_on(self) -> None:
        if self._when_idle is not None:
            action, self._when_idle = self._when_idle, None
            action()


def command_line(runtime: "dict[str, Any]", exec_dir: str, log_path: str, words: "list[str]") -> "list[str]":
    """The whole argv of a command."""
    usual = ["--root", f"{exec_dir}/{ROOT}", "--log", log_path, "--log-format", "json"]
    return [runtime["path"], *runtime["args"], *usual, *words]


def become(
    argv: "list[str]",
    log_path: str,
    prepare: "Callable[[], None] | None" = None,
    streams: "Streams | None" = None,
) -> "NoReturn":
    """In a child just cloned: prepare and execute a command; never returns."""
    try:
        syscalls.prctl(c.PR_SET_PDEATHSIG, signal.SIGKILL)
        restrict.default_signals()
        os.umask(0o022)
        (prepare or leave_host)()
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        for number, fd in enumerate(streams or (null, null, null)):
            os.dup2(fd, number, inheritable=True)
        syscalls.close_range(3, 0xFFFFFFFF, CLOSE_RANGE_CLOEXEC)
        try:
            os.execve(argv[0], argv, os.environ)
        except OSError as error:
            text = f"unable to run the runtime: exec {argv[0]}: {(error.strerror or str(error)).lower()}"
            raise StageError(text) from error
    except StageError as error:
        _complain(log_path, str(error), error.exit_code)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _complain(log_path, f"{error.strerror or error}{where}", restrict.FAILED)
    except BaseException as error:  # the child's edge: the log is its only voice
        _complain(log_path, f"{type(error).__name__}: {error}", restrict.FAILED)
    finally:
        os._exit(1)  # whatever happens: above on the stack is the shim's code


def _complain(log_path: str, text: str, exit_code: int) -> None:
    line = jsontext.dumps({"level": "error", "msg": text, "exit_code": exit_code})
    try:
        with open(log_path, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(line + "\n")
    except OSError as error:
        sys.stderr.write(f"{text}\n{log_path}: {error.strerror}\n")


def result_of(running: _Running, code: int) -> Result:
    """What exit code and log of an ended command say; the log is removed."""
    try:
        with open(running.log_path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
        os.unlink(running.log_path)
    except OSError as error:
        text = ""
        reason = f"open {running.log_path}: {(error.strerror or str(error)).lower()}"
    else:
        reason = "its log is empty"
    if code == 0:
        return Result()
    message, exit_code = last_error(text)
    if not message:
        return Result(f"unable to retrieve OCI runtime error ({reason}): exit status {code}")
    return Result(message, exit_code)


def last_error(log: str) -> "tuple[str, int]":
    """The message of the last error in a JSON log, and our own exit code in it; ("", 0) when there is none."""
    for line in reversed(log.splitlines()):
        try:
            found = jsontext.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("level") in ("error", "fatal", "panic"):
            return str(found.get("msg") or ""), int(found.get("exit_code") or 0)
    return "", 0
