"""Hooks: programs that the OCI config has run at turning points of a container's life.

    prestart, createRuntime   create, in the runtime's namespaces, when the container's are made and its mounts in place
    createContainer           create, in the container's namespaces, before its root is entered
    startContainer            start, in the container, as its user, before its program; environment is the container's
    poststart                 start, in the runtime's namespaces, when the program runs
    poststop                  delete, in the runtime's namespaces, when all is gone

Failure     ends the operation and the container, with `HookError`; of poststop it is only a warning and the others run
            on. A poststart that fails is an error as well (runc, crun, runtime-spec 1.2.1).
A hook      gets the state as JSON on standard input, its `env` as the whole environment (without one that of the
            caller, or `environment`), `directory` as working directory, and no other descriptor but the three. It is
            killed `timeout` seconds after it began; with its process group, for a shell's children outlive the shell.
Descriptors Input and output are memory files, not pipes: a hook that does not read, that writes without end or leaves a
            daemon behind with the three descriptors stops nobody. What it has written stands in the error message.
            The annotations run.oci.hooks.stdout and run.oci.hooks.stderr name files to append it to instead (crun).
Import      where it is to be used in the container (startContainer) this module must be imported before its root is
            entered.
Spec        runtime-spec 1.2, config.md "POSIX-platform Hooks", runtime.md "State".
"""

import errno
import fcntl
import os
import select
import time

from sampan.base import jsontext
from sampan.linux import constants as c
from sampan.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, NoReturn
else:
    import _signal as signal  # the same functions without the enums around them

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
STDOUT_ANNOTATION = "run.oci.hooks.stdout"
STDERR_ANNOTATION = "run.oci.hooks.stderr"
_CLOSE_RANGE_CLOEXEC = 4
_QUOTED_BYTES = 64 * 1024  # of a hook's output, in a message
_PATIENCE_S = 0.01  # between two looks, where the kernel gives no pidfd


class HookError(Exception):
    """A hook failed, in runc's words; `code` is its exit status, -1 when it did not exit by itself."""

    def __init__(self, message: str, code: int = -1) -> None:
        super().__init__(message)
        self.code = code


def run(
    hooks: "list[dict[str, Any]]",
    state: "dict[str, Any]",
    *,
    kind: str,
    log: "Callable[[str], None]",
    directory: str = "",
    environment: "list[str] | None" = None,
) -> None:
    """Run the hooks of one kind in their order. `log` takes warnings; `directory` is the bundle's, "" for here."""
    annotations = state.get("annotations") or {}
    text = jsontext.dumps(state).encode("utf-8", "surrogateescape")
    for number, hook in enumerate(hooks):
        try:
            _run_hook(hook, text, annotations, directory=directory, environment=environment)
        except HookError as error:
            message = f"error running {kind} hook #{number}: {error}"
            if kind != "poststop":
                raise HookError(message, error.code) from error
            # The beginning is crun's, for who looks for it.
            log(f"{kind} hook failed with exit code: {error.code}: {message}")


def _run_hook(
    hook: "dict[str, Any]",
    text: bytes,
    annotations: "dict[str, str]",
    *,
    directory: str,
    environment: "list[str] | None",
) -> None:
    fds: list[int] = []
    try:
        fds.append(_memory("state", text))
        fds.append(_output(annotations.get(STDOUT_ANNOTATION), "stdout"))
        fds.append(_output(annotations.get(STDERR_ANNOTATION), "stderr"))
        child = Child(hook, fds, directory=directory, environment=environment)
        status = child.wait(hook.get("timeout"))
        _seal(fds)
        if status is None:
            raise HookError(f"hook ran past specified timeout of {float(hook['timeout']):.1f}s")
        if status:
            said = ", ".join(f"{name}: {_said(fd)}" for name, fd in zip(("stdout", "stderr"), fds[1:], strict=True))
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
            raise HookError(f"{_ending(status)}, {said}", code)
    except OSError as error:
        where = error.filename or hook["path"]
        raise HookError(f"{where}: {(error.strerror or str(error)).lower()}") from error
    finally:
        for fd in fds:
            os.close(fd)


def _memory(name: str, text: bytes = b"") -> int:
    fd = os.memfd_create(f"hook-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(text)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _output(path: "str | None", name: str) -> int:
    if path:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o700)
    return _memory(name)


def _seal(fds: "list[int]") -> None:
    # A daemon that the hook has left behind may go on writing; its memory must not grow for ever.
    for fd in fds:
        try:
            fcntl.fcntl(fd, c.F_ADD_SEALS, c.F_SEAL_GROW)
        except OSError:
            continue  # a file that the annotations name


def _said(fd: int) -> str:
    try:
        return os.pread(fd, _QUOTED_BYTES, 0).decode("utf-8", "replace")
    except OSError:
        return ""  # a file that the annotations name, open for appending only


def _ending(status: int) -> str:
    if os.WIFEXITED(status):
        return f"exit status {os.WEXITSTATUS(status)}"
    core = " (core dumped)" if os.WCOREDUMP(status) else ""
    return f"signal: {(signal.strsignal(os.WTERMSIG(status)) or '').lower()}{core}"


class Child:
    """A hook's process."""

    __slots__ = ("pid",)

    def __init__(
        self, hook: "dict[str, Any]", fds: "list[int]", *, directory: str, environment: "list[str] | None"
    ) -> None:
        """Start it; OSError when it cannot be executed."""
        path, args = hook["path"], list(hook.get("args") or [hook["path"]])
        variables = _variables(hook.get("env"), environment)
        heard, told = os.pipe2(os.O_CLOEXEC)
        try:
            _expect_children()
            self.pid = os.fork()
            if self.pid == 0:
                _execute(path, args, variables, fds, told, directory, bool(hook.get("timeout")))
            os.close(told)
            told = -1
            failure = os.read(heard, 16)
        finally:
            os.close(heard)
            if told >= 0:
                os.close(told)
        if failure:
            os.waitpid(self.pid, 0)
            number = int(failure)
            raise OSError(number, os.strerror(number), f"fork/exec {path}")

    def wait(self, timeout_s: "float | None") -> "int | None":
        """The status when it has ended; None when it had to be killed."""
        if not timeout_s:
            return os.waitpid(self.pid, 0)[1]
        status = self._wait_until(time.monotonic() + timeout_s)
        if status is None:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        return status

    def _wait_until(self, deadline_s: float) -> "int | None":
        try:
            pidfd = os.pidfd_open(self.pid)
        except OSError:
            pidfd = -1  # a system call filter may forbid it
        watched = [pidfd] if pidfd >= 0 else []
        try:
            while True:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    return status
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return None
                select.select(watched, [], [], left_s if watched else min(left_s, _PATIENCE_S))
        finally:
            if pidfd >= 0:
                os.close(pidfd)


def _variables(env: "list[str] | None", default: "list[str] | None") -> "dict[str, str]":
    if env is None and default is None:
        return dict(os.environ)
    # An empty list is an empty environment, but for startContainer, as in runc.
    pairs = (text.partition("=") for text in (env or default or ()))
    return {name: value for name, _, value in pairs if name}


def _expect_children() -> None:
    # Who ignores this signal, by inheritance, never hears how a child ended.
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _execute(
    path: str,
    args: "list[str]",
    variables: "dict[str, str]",
    fds: "list[int]",
    told: int,
    directory: str,
    has_group: bool,
) -> "NoReturn":
    """The child: from fork to execve, or the reason why not."""
    try:
        if has_group:
            os.setpgid(0, 0)
        # Python ignores the two, and what is ignored stays so over execve(2).
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        # None of the sources may be overwritten before its turn.
        sources = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in fds]
        for number, fd in enumerate(sources):
            os.dup2(fd, number, inheritable=True)
        syscalls.close_range(3, 0xFFFFFFFF, _CLOSE_RANGE_CLOEXEC)
        if directory:
            os.chdir(directory)
        os.execve(path, args, variables)
    except OSError as error:
        os.write(told, str(error.errno or errno.EIO).encode())
    except BaseException:  # an argument with a zero byte in it, for example
        os.write(told, str(errno.EINVAL).encode())
    finally:
        os._exit(127)
