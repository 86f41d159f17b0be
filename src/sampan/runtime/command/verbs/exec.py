"""`exec`: a further process in a running container."""

import _socket as socket
import os

from sampan.base import jsontext
from sampan.errors import Conflict, Error, InvalidArgument
from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.capabilities import NUMBERS
from sampan.runtime import attributes, join, message
from sampan.runtime.command import config, descriptors, guard, store
from sampan.runtime.command.context import CommandFailed
from sampan.runtime.command.filters import seccomp_filter
from sampan.runtime.command.options import MANY, Command, number, switch, text, texts
from sampan.runtime.command.store import Container
from sampan.runtime.command.supervision import hand_listener, hand_pidfd, hand_terminal, write_pid
from sampan.runtime.command.verbs.create import check_console
from sampan.runtime.namespaces import Namespaces
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options
else:
    import _signal as signal  # the same functions without the enums around them

FAILED_EXIT = 255
CAPABILITY_SETS = ("bounding", "effective", "permitted")

FLAGS = (
    text("process p", 'read the process from FILE (JSON, config.md "Process")', "FILE"),
    text("cwd", "working directory in the container", "PATH"),
    texts("env e", "set an environment variable", "NAME=VALUE"),
    switch("tty t", "give it a terminal"),
    text("user u", "run as UID[:GID]", "UID[:GID]"),
    texts("additional-gids g", "add a supplementary group", "GID"),
    switch("detach d", "return as soon as the program runs"),
    text("console-socket", "send the terminal's master to the unix socket PATH", "PATH"),
    text("pidfd-socket", "send a pidfd of the process to the unix socket PATH", "PATH"),
    text("pid-file", "write the process's pid to FILE", "FILE"),
    text("process-label", "SELinux label of the process", "LABEL"),
    text("apparmor", "AppArmor profile of the process", "PROFILE"),
    switch("no-new-privs", "set no_new_privs"),
    texts("cap c", "add a capability", "CAP"),
    number("preserve-fds", "pass N descriptors from 3 on to the program", default=0),
    texts("cgroup", "run in PATH below the container's cgroup (CONTROLLERS:PATH on version 1)", "PATH"),
    switch("ignore-paused", "also into a paused container, where it runs after resume"),
    switch("no-subreaper", "accepted, without effect"),
)
COMMAND = Command(
    "exec", "CONTAINER cmd [ARGUMENT...]", "run a further process in a container", FLAGS, most=MANY, in_order=True
)


def run(context: "Context", options: "Options") -> int:
    guard.enter()
    if not os.geteuid():
        syscalls.prctl(c.PR_SET_DUMPABLE, 0)  # what is born in the container's PID namespace is seen there at once
    preserved = descriptors.take(options["preserve-fds"])
    try:
        container = Container.load(context.root, options.arguments[0])
        _check_status(container, options)
    except Error as error:
        raise CommandFailed(str(error), exit_code=FAILED_EXIT) from error
    process = process_of(container, options)
    check_console(bool(process.get("terminal")), options["console-socket"], is_detached=options["detach"])
    if process.get("terminal") and not options["console-socket"]:
        from sampan.runtime.command import foreground

        foreground.fit(process)
    joining = Joining(container, process, options, preserved)
    try:
        joining.begin()
    except StageError as error:
        raise CommandFailed(f"exec failed: {error}", exit_code=FAILED_EXIT) from error
    except OSError as error:
        raise CommandFailed(f"exec failed: {error.strerror or error}", exit_code=FAILED_EXIT) from error
    if options["detach"]:
        return 0
    from sampan.runtime.command import foreground

    return foreground.wait(joining.pid, joining.pidfd, joining.wakeup, joining.terminal_fd)


def _check_status(container: Container, options: "Options") -> None:
    status = container.status()
    if status == store.PAUSED and not options["ignore-paused"]:
        raise Conflict("cannot exec in a paused container (use --ignore-paused to override)")
    if status == store.STOPPED:
        raise Conflict("cannot exec in a stopped container")
    if status == store.CREATING:
        raise Conflict("cannot exec in a container that is being created")


def process_of(container: Container, options: "Options") -> "dict[str, Any]":
    """The process object: of the file, or the container's own with what the options change."""
    if options["process"]:
        if options.arguments[1:]:
            raise InvalidArgument("a command and --process cannot be given together")
        found = _load_process(options["process"])
    else:
        if not options.arguments[1:]:
            raise InvalidArgument("process args cannot be empty")
        found = dict(container.spec.get("process") or {})
        found["args"] = options.arguments[1:]
        found["terminal"] = False
        found.pop("consoleSize", None)
    _change(found, options)
    found = attributes.inherit(found, container.spec.get("process") or {})
    config.validate_process(found)
    return found


def _load_process(path: str) -> "dict[str, Any]":
    """A process object from a file of JSON."""
    with open(path, "rb") as file:
        found: dict[str, Any] = jsontext.loads(file.read())
    return found


def _change(process: "dict[str, Any]", options: "Options") -> None:
    if options["tty"]:
        process["terminal"] = True
    if options["cwd"]:
        process["cwd"] = options["cwd"]
    if options["env"]:
        process["env"] = [*(process.get("env") or []), *options["env"]]
    for flag, key in (("process-label", "selinuxLabel"), ("apparmor", "apparmorProfile")):
        if options[flag]:
            process[key] = options[flag]
    if options["no-new-privs"]:
        process["noNewPrivileges"] = True
    if options["user"] or options["additional-gids"]:
        process["user"] = _user(process.get("user") or {}, options)
    if options["cap"]:
        unknown = [name for name in options["cap"] if name.upper() not in NUMBERS]
        if unknown:
            raise InvalidArgument(f"unknown capability: {unknown[0]}")
        sets = {name: list(names or []) for name, names in (process.get("capabilities") or {}).items()}
        for name in CAPABILITY_SETS:
            sets[name] = list(dict.fromkeys([*sets.get(name, []), *map(str.upper, options["cap"])]))
        if "ambient" in sets:
            sets["ambient"] = list(dict.fromkeys([*sets["ambient"], *map(str.upper, options["cap"])]))
        process["capabilities"] = sets


def _user(user: "dict[str, Any]", options: "Options") -> "dict[str, Any]":
    found = dict(user)
    try:
        if options["user"]:
            uid, _, gid = options["user"].partition(":")
            found["uid"] = int(uid)
            if gid:
                found["gid"] = int(gid)
        if options["additional-gids"]:
            found["additionalGids"] = [*(user.get("additionalGids") or []), *map(int, options["additional-gids"])]
    except ValueError as error:
        raise InvalidArgument(f"a user or group is not a number: {error}") from error
    return found


class Joining:
    """One process on its way into the container."""

    def __init__(
        self, container: Container, process: "dict[str, Any]", options: "Options", preserved_fds: "list[int]"
    ) -> None:
        self.preserved_fds = preserved_fds
        self.container = container
        self.process = process
        self.options = options
        self.terminal_fd = -1
        self.pid = 0
        self.pidfd = -1
        self.wakeup = -1

    def begin(self) -> None:
        """Return when the program runs; CommandFailed when it cannot."""
        container, options = self.container, self.options
        init_pidfd = os.pidfd_open(container.pid)
        if not container.is_alive():
            raise Conflict("cannot exec in a stopped container")
        cgroup, cgroup_fd = self._cgroup()
        filter = seccomp_filter(container.spec)
        syscalls.setns(init_pidfd, c.CLONE_NEWPID)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stage = join.JoinStage(
            self.process,
            theirs,
            init_pidfd=init_pidfd,
            flags=Namespaces(container.spec["linux"].get("namespaces")).joined,
            user=None,
            groups=[],
            stdio=None if self.process.get("terminal") else (0, 1, 2),
            cgroup=cgroup,
            linux=container.spec["linux"],
            filter=filter,
            preserved_fds=self.preserved_fds,
            dies_with_parent=False,
        )
        if not options["detach"]:
            self._listen()
        self.pid, self.pidfd = syscalls.clone3(0, exit_signal=signal.SIGCHLD, cgroup_fd=cgroup_fd)
        if self.pid == 0:
            join.run(stage)
        theirs.close()
        os.close(init_pidfd)
        try:
            self._converse(ours)
            if options["pidfd-socket"]:
                hand_pidfd(options["pidfd-socket"], self.pidfd)
            if options["pid-file"]:
                write_pid(options["pid-file"], self.pid)
        except BaseException:
            self._end()
            raise
        finally:
            ours.close()

    def _listen(self) -> None:
        from sampan.runtime.command import foreground

        self.wakeup = foreground.listen()

    def _end(self) -> None:
        """What was not handed over as it should be does not stay."""
        try:
            syscalls.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)

    def _cgroup(self) -> "tuple[Any, int]":
        container = self.container
        if container.cgroup_manager == "disabled":
            return None, 0
        cgroup = container.cgroup()
        if self.options["cgroup"]:
            from sampan.runtime.cgroup.detect import parse_below

            return cgroup.below(parse_below(self.options["cgroup"])), 0
        if cgroup.version == 2:
            return None, cgroup.clone_fd(container.pid)
        return cgroup, 0

    def _converse(self, sync: socket.socket) -> None:
        while (found := message.receive(sync)) is not None:
            event, fds = found
            if event["event"] == "error":
                raise CommandFailed(f"exec failed: {event['message']}", exit_code=FAILED_EXIT)
            if event["event"] == "terminal":
                self._hand_terminal(fds[0])
            elif event["event"] == "listener":
                hand_listener(event, fds[0], self.container.state(), pid=self.pid)

    def _hand_terminal(self, fd: int) -> None:
        if self.options["console-socket"]:
            hand_terminal(self.options["console-socket"], fd)
        else:
            self.terminal_fd = fd
