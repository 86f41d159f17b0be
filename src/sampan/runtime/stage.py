"""The ground a first process stands on while it builds its container: on the host, then inside.

Two halves  `prepare_on_host` is done with the host's view and privileges; `build` with the container's namespaces, and
            what it needs of the host it holds as descriptors. Between them a first process may be cloned anew
            (`runtime.rebirth`).
Order       everything is mounted below the new root before that is entered: /proc is the host's as long as anything is
            written there, and no name is looked up but inside the root (`linux.rootpath`).
"""

import _socket as socket
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.rootpath import open_or_create_directory
from sampan.runtime import attributes, ground, message, namespaces, rootfs, terminal
from sampan.runtime.cgroup.detect import cgroup_for
from sampan.runtime.namespaces import Namespaces
from sampan.runtime.restrict import StageError, raised, set_rlimits
from sampan.runtime.steps import Root, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.request import InitOrders

ENTER_CGROUP = b"0"  # "the writing thread" (cgroups(7))


class Stage:
    """What a first process was asked to do, and its end of `sync`; `namespace_fds`: those to be in, by their kinds."""

    __slots__ = (
        "_task_fds",
        "cgroup",
        "folder_fd",
        "has_cgroup_ns",
        "namespace_fds",
        "namespaces",
        "orders",
        "root",
        "spec",
        "stdio",
        "steps",
        "sync",
    )

    def __init__(
        self,
        sync: socket.socket,
        orders: "InitOrders",
        *,
        stdio: "tuple[int, int, int] | None",
        namespace_fds: "dict[str, int] | None" = None,
    ) -> None:
        self.sync = sync
        self.orders = orders
        self.spec = orders.spec
        linux = self.spec.get("linux") or {}
        self.stdio = stdio
        self.namespaces = Namespaces(linux.get("namespaces"))
        self.namespace_fds = namespace_fds or {}
        self.cgroup = cgroup_for(linux.get("cgroupsPath") or "", manager=orders.cgroup_manager, name=orders.id)
        # The engine's root has no place of its own on the host, which a source could be below.
        place = "" if orders.exec_dir else orders.staging
        self.steps = rootfs.plan(self.spec, self.cgroup.folders, more=self._own_steps(), place=place)
        self.folder_fd = -1  # the shim's directory, for who will be reborn
        self.has_cgroup_ns = bool(self.namespaces.new & c.CLONE_NEWCGROUP)
        self._task_fds: list[int] = []
        self.root = Root(self.enter_cgroup)
        attributes.load(self.spec.get("process") or {}, linux)
        if self.spec.get("hooks"):
            __import__("sampan.runtime.hooks")  # later there is no file system to import it from

    def _own_steps(self) -> "list[Step]":
        found: list[Step] = []
        cwd = (self.spec.get("process") or {}).get("cwd") or "/"
        if self.orders.create_cwd and cwd != "/":
            found.append(WorkingDirectory(cwd))
        if self.stdio is None:
            found.append(Terminal(self))
        return found

    # on the host

    def prepare_on_host(self) -> None:
        """The cgroups, a mount namespace, the root in it, and descriptors of all that comes from the host."""
        os.umask(0o022)
        self._lay_ground()
        os.umask(0)
        self.namespace_fds = self.namespaces.open() | self.namespace_fds
        adjust_oom_score(self.spec.get("process") or {})
        if self.namespaces.in_user_namespace:
            # From inside no hard limit can be raised; the others may be too low for what is still to be done.
            set_rlimits(raised((self.spec.get("process") or {}).get("rlimits") or []))
        for step in self.steps:
            attempt(step, step.share)
        namespaces.join(self.namespace_fds, "mount")
        if self.namespaces.new & c.CLONE_NEWNS:
            syscalls.unshare(c.CLONE_NEWNS)
            syscalls.mount("", "/", "", c.MS_REC | rootfs.propagation_of_host(self.spec))
        for step in self.steps:
            attempt(step, step.prepare)
        self._mount_root()

    def _lay_ground(self) -> None:
        orders = self.orders
        try:
            if orders.exec_dir:
                listener = ground.lay_out(orders, self.cgroup)
                message.send(self.sync, {"event": "prepared"}, [listener.fileno()])
                listener.close()
                if self.namespaces.is_reborn:
                    self.folder_fd = os.open(orders.exec_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            if orders.cgroup_manager == "cgroupfs":
                ground.limit(self.cgroup, self._resources())
                # Opened while the hierarchies are in sight; version 2 is joined at birth.
                self._task_fds = [] if self.cgroup.version == 2 else self.cgroup.entry_fds()
        except OSError as error:
            raise StageError(f"{error.strerror}: {error.filename}" if error.filename else str(error)) from error

    def _resources(self) -> "dict[str, Any]":
        found: dict[str, Any] = (self.spec.get("linux") or {}).get("resources") or {}
        process = self.spec.get("process") or {}
        if process.get("scheduler"):
            from sampan.runtime import scheduler

            return scheduler.with_budget(process, found, self.cgroup.folders.get("cpu", ""))
        return found

    def _mount_root(self) -> None:
        staging = self.orders.staging
        try:
            if self.namespaces.new & c.CLONE_NEWNS and rootfs.is_shared(self.spec):
                rootfs.make_parent_private(staging)
            if rootfs.has_mounts(self.namespaces):
                rootfs.mount_root(self.orders.rootfs, staging, is_slave=rootfs.is_slave(self.spec))
            os.chdir(staging)
        except OSError as error:
            raise StageError(f"mount root {staging}: {(error.strerror or str(error)).lower()}") from error

    def enter_cgroup(self) -> None:
        """Join the cgroups, and a cgroup namespace whose root they are; once, however often it is called."""
        for fd in self._task_fds:
            os.write(fd, ENTER_CGROUP)
            os.close(fd)
        if self.has_cgroup_ns:
            syscalls.unshare(c.CLONE_NEWCGROUP)
        self._task_fds, self.has_cgroup_ns = [], False

    # inside

    def build(self) -> None:
        """Namespaces, names, mounts; afterwards all is in place and `enter_root` may follow."""
        if self.namespaces.new & c.CLONE_NEWTIME:
            from sampan.runtime import timens

            make = timens.create if self.namespaces.is_reborn else timens.enter
            make(self.spec["linux"].get("timeOffsets") or {})
        brings_network = "network" in self.namespace_fds
        if self.namespaces.is_reborn:
            from sampan.runtime import rebirth

            rebirth.split(self)
        else:
            self._enter_namespaces(brings_network=brings_network)
        self.root.fd = rootfs.open_root(self.namespaces)
        if self.namespaces.new & c.CLONE_NEWNET and not brings_network:
            namespaces.raise_loopback()
        self._name()
        for step in self.steps:
            attempt(step, lambda step=step: step.execute(self.root))
        self.enter_cgroup()

    def _enter_namespaces(self, *, brings_network: bool) -> None:
        namespaces.join(self.namespace_fds, "network", "ipc", "uts", "time", "cgroup")
        if self.namespaces.new & c.CLONE_NEWNET and not brings_network:
            syscalls.unshare(c.CLONE_NEWNET)

    def _name(self) -> None:
        if self.spec.get("hostname"):
            socket.sethostname(self.spec["hostname"])
        if self.spec.get("domainname"):
            syscalls.setdomainname(self.spec["domainname"])

    def enter_root(self) -> None:
        """Make the new root the root; nothing of the host has a name any more."""
        rootfs.enter_root(self.root.fd, self.spec, self.namespaces, no_pivot=self.orders.no_pivot)

    def wait_for_go(self) -> "dict[str, Any]":
        """Until the supervisor, or whoever comes through the gate, says so; `sync` is then the way to that one."""
        gate = self.orders.gate
        if gate is not None:
            fd, _ = gate._accept()  # type: ignore[attr-defined]  # what socket.accept wraps
            gate.close()
            self.sync = socket.socket(fileno=fd)
        found = message.receive(self.sync)
        if found is None:
            raise StageError("the supervisor went away")
        return found[0]


class WorkingDirectory(Step):
    """Make the working directory where the root lacks it, as root."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def describe(self) -> str:
        return f"make the working directory {self.path}"

    def execute(self, root: Root) -> None:
        try:
            os.close(open_or_create_directory(root.fd, self.path))
        except OSError:
            return  # entering it will fail, and the message for that is one that users know


class Terminal(Step):
    """The standard streams of a process with a terminal, which becomes the container's console too."""

    __slots__ = ("stage",)

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def describe(self) -> str:
        return "open a terminal"

    def execute(self, root: Root) -> None:
        stage = self.stage
        stage.enter_cgroup()  # which of its devices may be opened is the container's matter
        slave = terminal.open_terminal(stage.sync, root.fd, stage.spec["process"])
        terminal.mount_console(root.fd, slave)
        stage.stdio = (slave, slave, slave)


def attempt(step: "Step", action: "Any") -> None:
    try:
        action()
    except OSError as error:
        where = f" ({error.filename!r})" if error.filename else ""
        raise StageError(f"{step.describe()}: {(error.strerror or str(error)).lower()}{where}") from error


def adjust_oom_score(process: "dict[str, Any]") -> None:
    """Write oom_score_adj (proc_pid_oom_score_adj(5)); /proc has to be the host's still."""
    score = process.get("oomScoreAdj")
    if score is not None:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, str(score).encode())
        except OSError as error:
            raise StageError(f"write oom_score_adj {score}: {(error.strerror or '').lower()}") from error
        finally:
            os.close(fd)
