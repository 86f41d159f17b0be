"""A container's first process, from its birth to execve.

It is cloned by the shim into new PID, UTS and IPC namespaces, often ahead of need, and talks with it over `sync`:

    shim                                              init
      │ clone3 ──────────────────────────────────────▶ │ not dumpable; waits
      │ ── launch {orders} {fds: stdio, netns} ──────▶ │ makes the shim's directory and the cgroups
      │ ◀────────────── prepared {fd: the listener} ── │ mount namespace; joins the network namespace
      │                                                │ mounts and enters the root, mounts the rest
      │                                                │ joins the cgroups, enters a cgroup namespace
      │ ◀──────────── terminal {fd of the master} ──── │ (only with a terminal)
      │ ◀──────────────────────────────────── ready ── │ user, limits, capabilities are in force
      │ ── go ───────────────────────────────────────▶ │ (the network is complete)
      │ ◀────────────────────────────── end of file ── │ execve succeeded: `sync` was close-on-exec
      │ ◀── error {message, exit_code} ─────────────── │ or it failed, at any point above

Division    It does all the work of a launch, for its memory goes with execve; the shim's stays as long as the
container. Ahead       The mount namespace is not made ahead: it has to see what the host has mounted when the container
starts. Security    Not dumpable until execve: nothing in the container can trace it, read its memory or open its
            /proc/<pid>/exe, which leads to no writable file in any case (`runtime.launcher.interpreter`). It holds no
            descriptor of a host directory once the root is entered.
"""

import _socket as socket
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime import ground, message, reaper, restrict, rootfs
from sampan.runtime.cgroup.detect import cgroup_for
from sampan.runtime.identity import IdentityError, look_up
from sampan.runtime.request import InitOrders
from sampan.runtime.restrict import StageError
from sampan.runtime.steps import Root

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, NoReturn

    from sampan.runtime.steps import Step
else:
    import _signal as signal  # the same functions without the enums around them

ENTER_CGROUP = b"0"  # "the writing thread" (cgroups(7))


class Stage:
    """What init was asked to do, and its end of `sync`."""

    __slots__ = (
        "_task_fds",
        "cgroup",
        "filter_program",
        "has_cgroup_ns",
        "netns_fd",
        "orders",
        "stdio",
        "steps",
        "sync",
    )

    def __init__(self, sync: socket.socket, found: "dict[str, Any]", fds: "list[int]") -> None:
        self.sync = sync
        self.orders = InitOrders(found)
        self.stdio = None if self.orders.tty else (fds.pop(0), fds.pop(0), fds.pop(0))
        self.netns_fd = fds.pop(0) if fds else -1
        self.filter_program = b""
        self.cgroup = cgroup_for(self.orders.spec["linux"]["cgroupsPath"])
        self.steps = rootfs.plan(self.orders.spec, self.cgroup.folders)
        self.has_cgroup_ns = has_cgroup_namespace(self.orders.spec)
        self._task_fds: list[int] = []

    def lay_ground(self) -> None:
        """Make what the container has on the host, and hand the shim its listening socket."""
        listener = ground.lay_out(self.orders, self.cgroup)
        message.send(self.sync, {"event": "prepared"}, [listener.fileno()])
        listener.close()
        ground.limit(self.cgroup, self.orders.spec["linux"].get("resources") or {})
        # Opened while the hierarchies are in sight; version 2 is joined at birth.
        self._task_fds = [] if self.cgroup.version == 2 else self.cgroup.entry_fds()

    def enter_cgroup(self) -> None:
        """Join the cgroups, and a cgroup namespace whose root they are; once, however often it is called."""
        for fd in self._task_fds:
            os.write(fd, ENTER_CGROUP)
            os.close(fd)
        if self.has_cgroup_ns:
            syscalls.unshare(c.CLONE_NEWCGROUP)
        self._task_fds, self.has_cgroup_ns = [], False


def has_cgroup_namespace(spec: "dict[str, Any]") -> bool:
    """Whether an OCI config asks for a cgroup namespace of the container's own."""
    namespaces = (spec.get("linux") or {}).get("namespaces") or []
    return any(ns["type"] == "cgroup" and not ns.get("path") for ns in namespaces)


def report(sync: socket.socket, error: Exception) -> None:
    """Tell the shim why there will be no execve."""
    code = error.exit_code if isinstance(error, StageError) else restrict.FAILED
    message.send(sync, {"event": "error", "message": str(error), "exit_code": code})


def run(sync: socket.socket, prepare: "Callable[[], None]") -> "NoReturn":
    """Everything from the first instruction to execve; never returns. `prepare` is called while nobody waits."""
    try:
        # Before anything of a container can be seen or reached.
        syscalls.prctl(c.PR_SET_DUMPABLE, 0)
        # Whoever cleans up after a dead shim must not find us still making things. (`restrict` says it again.)
        syscalls.prctl(c.PR_SET_PDEATHSIG, signal.SIGKILL)
        prepare()
        found = message.receive(sync)
        if found is not None:
            _run(Stage(sync, *found))
    except StageError as error:
        report(sync, error)
    except BaseException as error:  # whatever it is, the shim must hear it: this process has no other voice
        report(sync, StageError(f"{type(error).__name__}: {error}"))
    finally:
        os._exit(1)  # even when nobody hears the report: above on the stack is the shim's code, not ours to go on with


def _run(stage: Stage) -> None:
    orders, spec = stage.orders, stage.orders.spec
    process = spec["process"]
    restrict.default_signals()
    os.umask(0o022)
    try:
        stage.lay_ground()
    except OSError as error:
        raise StageError(f"{error.strerror}: {error.filename}" if error.filename else str(error)) from error
    os.umask(0)
    if any(ns["type"] == "mount" for ns in spec["linux"].get("namespaces") or []):
        syscalls.unshare(c.CLONE_NEWNS)
    if stage.netns_fd >= 0:
        syscalls.setns(stage.netns_fd, c.CLONE_NEWNET)
    root = _make_root(stage)
    if spec.get("hostname"):
        socket.sethostname(spec["hostname"])
    _run_steps(stage.steps, root)
    stage.enter_cgroup()
    try:
        identity = look_up(root.fd, orders.user, orders.groups)
    except IdentityError as error:
        raise StageError(str(error)) from error
    restrict.enter_directory(root.fd, process.get("cwd") or "/", create=orders.create_cwd)
    stdio = stage.stdio or _terminal(stage, root, process)
    restrict.take_stdio(stdio, is_terminal=stage.stdio is None)
    own_stdio(identity.uid)
    os.umask((process.get("user") or {}).get("umask") or 0o022)
    _adjust_oom_score(process)
    os.close(root.fd)
    syscalls.join_session_keyring(f"_ses.{orders.id}")
    restrict.restrict(process, identity, stage.filter_program)
    environment = with_home(process.get("env") or [], identity.home)
    program = restrict.find_program(process["args"], environment)
    message.send(stage.sync, {"event": "ready"})
    if message.receive(stage.sync) is None:
        raise StageError("the shim went away")
    if (spec.get("annotations") or {}).get(reaper.ANNOTATION):
        reaper.split()
    restrict.execute(program, process["args"], environment)


def _make_root(stage: Stage) -> Root:
    spec = stage.orders.spec
    propagation = c.MS_PRIVATE
    for mount in spec.get("mounts") or []:
        if any(word.endswith(("slave", "shared")) for word in mount.get("options") or []):
            propagation = c.MS_SLAVE
    syscalls.mount("", "/", "", c.MS_REC | propagation)
    for step in stage.steps:
        _attempt(step, step.prepare)
    # The shim's directory serves as the place to mount on: in this mount namespace nobody else sees it.
    staging = stage.orders.exec_dir
    rootfs.mount_root(stage.orders.rootfs, staging)
    root = Root(stage.enter_cgroup)
    root.fd = rootfs.enter_root(staging)
    return root


def _run_steps(steps: "list[Step]", root: Root) -> None:
    for step in steps:
        _attempt(step, lambda step=step: step.execute(root))


def _attempt(step: "Step", action: "Any") -> None:
    try:
        action()
    except OSError as error:
        where = f" ({error.filename!r})" if error.filename else ""
        raise StageError(f"{step.describe()}: {(error.strerror or str(error)).lower()}{where}") from error


def _terminal(stage: Stage, root: Root, process: "dict[str, Any]") -> "tuple[int, int, int]":
    slave = open_terminal(stage.sync, root.fd, process)
    # /dev/console is the terminal itself: bound, for a link would resolve elsewhere in other devpts instances.
    os.close(os.open("/dev/console", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    tree = syscalls.open_tree(slave, "", c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | c.AT_EMPTY_PATH)
    target = os.open("/dev/console", os.O_PATH | os.O_CLOEXEC)
    syscalls.move_mount(tree, target)
    os.close(target)
    return slave, slave, slave


def open_terminal(sync: socket.socket, root_fd: int, process: "dict[str, Any]") -> int:
    """A terminal of the container's own devpts, of the size asked for: the shim gets the master, the caller a slave."""
    master, slave = restrict.open_terminal(root_fd)
    size = process.get("consoleSize") or {}
    if size:
        restrict.set_size(master, height=size.get("height", 0), width=size.get("width", 0))
    message.send(sync, {"event": "terminal"}, [master])
    os.close(master)
    return slave


def own_stdio(uid: int) -> None:
    """Give standard streams to the user, so that /dev/stdout can be opened anew; not what is shared with the host."""
    if uid:
        null = os.stat("/dev/null").st_rdev
        for fd in range(3):
            if os.fstat(fd).st_rdev != null:
                os.fchown(fd, uid, -1)


def with_home(environment: "list[str]", home: str) -> "list[str]":
    """The environment with HOME set, if it was not."""
    return environment if any(text.startswith("HOME=") for text in environment) else [*environment, f"HOME={home}"]


def _adjust_oom_score(process: "dict[str, Any]") -> None:
    score = process.get("oomScoreAdj")
    if score is not None:
        with open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
            file.write(str(score))
