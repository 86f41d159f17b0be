"""A further process in a running container (exec), from its birth to execve.

It is born in the container's PID namespace (its supervisor has called setns(2) for its children); the rest is joined
here. The conversation on `sync` is that of `runtime.init`, without `go`: a joined process starts as soon as it is
ready. What the host's /proc is needed for is done before the container's mounts are joined.
"""

import _socket as socket
import os

from sampan.linux import capabilities, syscalls
from sampan.linux import constants as c
from sampan.runtime import attributes, restrict, terminal
from sampan.runtime.identity import Identity, IdentityError, look_up, of_numbers
from sampan.runtime.init import report, with_home
from sampan.runtime.restrict import StageError
from sampan.runtime.stage import ENTER_CGROUP, adjust_oom_score

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from sampan.runtime.cgroup.detect import Cgroup
    from sampan.runtime.filter import Filter


class JoinStage:
    """What the process inherits from its supervisor's memory.

    flags       CLONE_NEW* of what is to be joined; where a process is already, joining has no effect, save for the
                user namespace, where it is an error
    user        None: the numbers of process.user
    linux       of the config: what of it is true of every process (personality, memory policy)
    cgroup      to be joined by the process itself; None when it is born there
    """

    __slots__ = (
        "cgroup",
        "dies_with_parent",
        "filter",
        "flags",
        "groups",
        "init_pidfd",
        "linux",
        "preserved_fds",
        "process",
        "stdio",
        "sync",
        "user",
    )

    def __init__(
        self,
        process: "dict[str, Any]",
        sync: socket.socket,
        *,
        init_pidfd: int,
        flags: int,
        user: "str | None",
        groups: "list[str]",
        stdio: "tuple[int, int, int] | None",
        cgroup: "Cgroup | None",
        linux: "dict[str, Any] | None" = None,
        filter: "Filter | None" = None,
        preserved_fds: "list[int] | None" = None,
        dies_with_parent: bool = True,
    ) -> None:
        self.process = process
        self.sync = sync
        self.init_pidfd = init_pidfd
        self.flags = flags
        self.user = user
        self.groups = groups
        self.stdio = stdio
        self.cgroup = cgroup
        self.linux = linux or {}
        self.filter = filter
        self.preserved_fds = preserved_fds or []
        self.dies_with_parent = dies_with_parent


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
    # Before the first namespace is shared with the container's processes. A supervisor that is root has done so before
    # the birth; a user's own files below /proc would be root's from then on, so there it comes after those are written.
    if not os.geteuid():
        syscalls.prctl(c.PR_SET_DUMPABLE, 0)
    restrict.default_signals()
    _prepare_on_host(stage)
    syscalls.prctl(c.PR_SET_DUMPABLE, 0)
    if stage.flags & c.CLONE_NEWUSER:
        from sampan.runtime.rebirth import become_root  # now: behind the mount namespace there is nothing to import
    syscalls.setns(stage.init_pidfd, stage.flags)
    if stage.flags & c.CLONE_NEWUSER:
        capabilities.forget_bounding()
        become_root()
    root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    identity = _identity(stage, root_fd)
    restrict.enter_directory(root_fd, process.get("cwd") or "/")
    stdio = stage.stdio or _terminal(stage, root_fd)
    terminal.take_stdio(stdio, is_terminal=stage.stdio is None)
    terminal.own_stdio(identity.uid, identity.gid)
    os.umask(identity.umask)
    os.close(root_fd)
    environment = with_home(process.get("env") or [], identity.home)
    program = restrict.find_program(process["args"], environment)
    restrict.keep_fds(stage.preserved_fds)
    attributes.apply(process, stage.linux, is_exec=True)
    restrict.restrict(process, identity, stage.sync, stage.filter, dies_with_parent=stage.dies_with_parent)
    late = restrict.late_filter(process, stage.filter)
    restrict.execute(program, process["args"], environment, stage.sync, filter=late)


def _prepare_on_host(stage: JoinStage) -> None:
    attributes.load(stage.process, stage.linux)
    attributes.set_initial_affinity(stage.process)
    for fd in stage.cgroup.entry_fds() if stage.cgroup else ():
        os.write(fd, ENTER_CGROUP)
        os.close(fd)
    adjust_oom_score(stage.process)
    attributes.label(stage.process)
    if stage.flags & c.CLONE_NEWUSER:
        # From inside no hard limit can be raised.
        restrict.set_rlimits(stage.process.get("rlimits") or [])


def _identity(stage: JoinStage, root_fd: int) -> Identity:
    if stage.user is None:
        return of_numbers(root_fd, stage.process.get("user") or {})
    try:
        return look_up(root_fd, stage.user, stage.groups)
    except IdentityError as error:
        raise StageError(str(error)) from error


def _terminal(stage: JoinStage, root_fd: int) -> "tuple[int, int, int]":
    slave = terminal.open_terminal(stage.sync, root_fd, stage.process)
    return slave, slave, slave
