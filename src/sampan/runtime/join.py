"""A further process in a running container (exec), from its fork by the shim to execve.

The shim's children are born in the container's PID namespace (the shim has called setns(2) for them); the rest is
joined here. The conversation on `sync` is that of `runtime.init`, without `go`: a joined process starts as soon as it
is ready.
"""

import _socket as socket
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime import restrict
from sampan.runtime.identity import IdentityError, look_up
from sampan.runtime.init import ENTER_CGROUP, open_terminal, own_stdio, report, with_home
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from sampan.runtime.cgroup.detect import Cgroup

JOINED = {
    "mount": c.CLONE_NEWNS,
    "uts": c.CLONE_NEWUTS,
    "ipc": c.CLONE_NEWIPC,
    "network": c.CLONE_NEWNET,
    "cgroup": c.CLONE_NEWCGROUP,
}


class JoinStage:
    """What the process inherits from the shim's memory."""

    __slots__ = ("cgroup", "filter_program", "groups", "init_pidfd", "process", "stdio", "sync", "user")

    def __init__(
        self,
        process: "dict[str, Any]",
        sync: socket.socket,
        *,
        init_pidfd: int,
        user: str,
        groups: "list[str]",
        stdio: "tuple[int, int, int] | None",
        cgroup: "Cgroup | None",
        filter_program: bytes = b"",
    ) -> None:
        self.process = process
        self.sync = sync
        self.init_pidfd = init_pidfd
        self.user = user
        self.groups = groups
        self.stdio = stdio
        self.cgroup = cgroup
        self.filter_program = filter_program


def run(stage: JoinStage) -> "NoReturn":
    """Everything from the first instruction to execve; never returns."""
    try:
        _run(stage)
    except StageError as error:
        report(stage.sync, error)
    except BaseException as error:  # as in runtime.init: this process has no other voice
        report(stage.sync, StageError(f"{type(error).__name__}: {error}"))
    finally:
        os._exit(1)  # as in runtime.init


def _run(stage: JoinStage) -> None:
    process = stage.process
    # Before the first namespace is shared with the container's processes.
    syscalls.prctl(c.PR_SET_DUMPABLE, 0)
    restrict.default_signals()
    for fd in stage.cgroup.entry_fds() if stage.cgroup else ():
        os.write(fd, ENTER_CGROUP)
        os.close(fd)
    flags = 0
    for flag in JOINED.values():
        flags |= flag
    # One's own namespaces are joined without effect, so there is no need to know which of them are the container's.
    syscalls.setns(stage.init_pidfd, flags)
    root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        identity = look_up(root_fd, stage.user, stage.groups)
    except IdentityError as error:
        raise StageError(str(error)) from error
    restrict.enter_directory(root_fd, process.get("cwd") or "/", create=False)
    stdio = stage.stdio or _terminal(stage, root_fd)
    restrict.take_stdio(stdio, is_terminal=stage.stdio is None)
    own_stdio(identity.uid)
    os.umask(0o022)
    os.close(root_fd)
    restrict.restrict(process, identity, stage.filter_program)
    environment = with_home(process.get("env") or [], identity.home)
    program = restrict.find_program(process["args"], environment)
    restrict.execute(program, process["args"], environment)


def _terminal(stage: JoinStage, root_fd: int) -> "tuple[int, int, int]":
    slave = open_terminal(stage.sync, root_fd, stage.process)
    return slave, slave, slave
