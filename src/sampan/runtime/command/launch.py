"""A container's first process, seen from the command that makes it: cloned, heard, helped, and undone if it fails.

The conversation is the one of `runtime.init`; this is its other side. What takes rights or names of the host is done
here (hooks, console socket, listener of a filter, systemd), the construction itself by the first process.
Errors      LaunchFailed (`command.supervision`); nothing of the container is left then.
"""

import _socket as socket
import os

from sampan.linux import syscalls
from sampan.linux.constants import CLONE_NEWCGROUP, CLONE_NEWUSER
from sampan.linux.mount import Mount
from sampan.runtime import init, message
from sampan.runtime.cgroup.detect import default_path
from sampan.runtime.cgroup.devices import with_default_devices
from sampan.runtime.command import descriptors, notify
from sampan.runtime.command.destroy import destroy
from sampan.runtime.command.filters import seccomp_filter
from sampan.runtime.command.supervision import (
    LaunchFailed,
    go,
    hand_listener,
    hand_pidfd,
    hand_terminal,
    run_hooks,
    write_pid,
)
from sampan.runtime.namespaces import Namespaces
from sampan.runtime.request import InitOrders
from sampan.runtime.restrict import StageError
from sampan.runtime.stage import Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.store import Container
else:
    import _signal as signal  # the same functions without the enums around them


class Wishes:
    """What the options of `create` and `run` ask for, beside the config."""

    __slots__ = ("console_socket", "gate", "no_new_keyring", "no_pivot", "pid_file", "pidfd_socket", "preserved_fds")

    def __init__(
        self,
        *,
        console_socket: str = "",
        pid_file: str = "",
        pidfd_socket: str = "",
        preserved_fds: "list[int] | None" = None,
        no_pivot: bool = False,
        no_new_keyring: bool = False,
        gate: bool = False,
    ) -> None:
        self.console_socket = console_socket
        self.pid_file = pid_file
        self.pidfd_socket = pidfd_socket
        self.preserved_fds = preserved_fds or []
        self.no_pivot = no_pivot
        self.no_new_keyring = no_new_keyring
        self.gate = gate


class Launch:
    """One launch; after `prepare` the first process waits. `terminal_fd`: the master, if nobody else took it, or -1."""

    def __init__(self, context: "Context", container: "Container", wishes: Wishes) -> None:
        self.context = context
        self.container = container
        self.wishes = wishes
        self.spec = container.spec
        self.terminal_fd = -1
        self.pid = 0
        self.pidfd = -1
        self._sync: socket.socket
        self._orders: InitOrders
        self._has_begun = False

    # making

    def prepare(self) -> None:
        """Build the container up to the point where its program could run."""
        try:
            self._settle_cgroup()
            self._orders = self._make_orders()
            self._clone()
            self._converse()
            self._publish()
        except StageError as error:
            self.undo()
            raise LaunchFailed(str(error), error.exit_code) from error
        except BaseException:
            self.undo()
            raise

    def _settle_cgroup(self) -> None:
        container, linux = self.container, self.spec.setdefault("linux", {})
        container.cgroup_manager = self.context.cgroup_manager
        container.cgroup_path = linux.get("cgroupsPath") or default_path(container.id, container.cgroup_manager)
        linux["cgroupsPath"] = container.cgroup_path
        resources = linux.setdefault("resources", {})
        resources["devices"] = with_default_devices(resources.get("devices"))
        if container.cgroup_manager == "cgroupfs" and _is_there(container):
            found = container.cgroup().pids()
            if found:
                # Its limits would become those of whoever is in there, and its end would be theirs.
                raise LaunchFailed(f"container's cgroup is not empty: {len(found)} process(es) found")
        if container.cgroup_manager == "cgroupfs" and _is_frozen(container):
            # It would stop half-way, and no signal could end it.
            raise LaunchFailed(f"the container's cgroup {container.cgroup_path} is frozen")
        if self.context.rootless and container.cgroup_manager == "cgroupfs":
            try:
                container.cgroup().create()
            except OSError as error:
                self.context.log.debug(f"no cgroups without the right to make them: {error}")
                container.cgroup_manager = "disabled"
        container.save()

    def _make_orders(self) -> InitOrders:
        container, wishes, spec = self.container, self.wishes, self.spec
        root = Mount("bind", container.rootfs, "", ["rbind", "private"])
        orders = InitOrders(
            {
                "id": container.id,
                "spec": spec,
                "rootfs": [root.to_json()],
                "user": None,
                "groups": [],
                "create_cwd": True,
                "tty": bool((spec.get("process") or {}).get("terminal")),
                "exec_dir": "",
                "exit_path": "",
                "filter": None,
            }
        )
        orders.filter = seccomp_filter(spec)
        orders.staging = container.rootfs
        orders.cgroup_manager = container.cgroup_manager
        orders.no_pivot, orders.no_new_keyring = wishes.no_pivot, wishes.no_new_keyring
        orders.preserved_fds = wishes.preserved_fds
        activation = descriptors.activated()
        if activation and spec.get("process"):
            # sd_listen_fds(3): they go along after the first three; the program finds itself named by its pid.
            own = [f"LISTEN_FDS={activation}", "LISTEN_PID=1"]
            spec["process"]["env"] = [*(spec["process"].get("env") or []), *own]
        if os.environ.get(notify.VARIABLE):
            notify.offer(container.directory, spec, os.environ[notify.VARIABLE])
        if wishes.gate:
            orders.gate = self._open_gate()
        return orders

    def _open_gate(self) -> socket.socket:
        gate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.chdir(self.container.directory)  # an address has 108 bytes at most
        try:
            gate.bind(os.path.basename(self.container.exec_fifo))
        finally:
            os.fchdir(here)
            os.close(here)
        gate.listen(1)
        return gate

    def _clone(self) -> None:
        orders, container = self._orders, self.container
        # Whoever opens /proc/<pid>/exe of this process's child finds the interpreter: it must have been loaded from a
        # place that cannot be written (`command.guard`).
        is_terminal = orders.tty
        waits = orders.cgroup_manager == "systemd"
        cgroup_fd = 0
        if orders.cgroup_manager == "cgroupfs" and container.cgroup().version == 2:
            container.cgroup().create()
            self._delegate()
            cgroup_fd = container.cgroup().clone_fd()
        self._sync, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def stage() -> "Stage | None":
            if waits and message.receive(theirs) is None:
                return None
            return Stage(theirs, orders, stdio=None if is_terminal else (0, 1, 2))

        flags = Namespaces(self.spec["linux"].get("namespaces")).at_birth
        self.pid, self.pidfd = syscalls.clone3(flags, exit_signal=signal.SIGCHLD, cgroup_fd=cgroup_fd)
        if self.pid == 0:
            self._sync.close()
            init.go_on(theirs, stage)
        theirs.close()
        if cgroup_fd:
            os.close(cgroup_fd)
        if orders.gate is not None:
            orders.gate.close()
        if waits:
            cgroup = container.cgroup()
            cgroup.create()
            cgroup.apply(self.spec["linux"].get("resources") or {})
            cgroup.adopt(self.pid)
            container.cgroup_path = cgroup.path  # systemd has decided where
            self._delegate()
            message.send(self._sync, {"event": "go on"})

    def _delegate(self) -> None:
        """Version 2, a user namespace, a cgroup namespace, a writable mount: the container may divide its cgroup."""
        spaces = Namespaces(self.spec["linux"].get("namespaces"))
        mounts = [mount for mount in self.spec.get("mounts") or [] if mount.get("type") in ("cgroup", "cgroup2")]
        is_writable = any("ro" not in (mount.get("options") or []) for mount in mounts)
        cgroup = self.container.cgroup()
        if cgroup.version == 2 and is_writable and spaces.new & CLONE_NEWCGROUP and spaces.new & CLONE_NEWUSER:
            cgroup.delegate(*(_root_of(self.spec["linux"].get(name)) for name in ("uidMappings", "gidMappings")))

    # hearing

    def _converse(self) -> None:
        while True:
            found = message.receive(self._sync)
            if found is None:
                raise LaunchFailed("the container's first process died while it was being set up")
            event, fds = found
            if event["event"] == "ready":
                return
            self._answer(event, fds)

    def _answer(self, event: "dict[str, Any]", fds: "list[int]") -> None:
        kind = event["event"]
        if kind == "error":
            raise LaunchFailed(event["message"], event["exit_code"])
        if kind == "born":
            self._take_successor(event["pid"], fds[0])
        elif kind == "created":
            self._help()
        elif kind == "terminal":
            self._hand_terminal(fds[0])
        elif kind == "listener":
            hand_listener(event, fds[0], self.state("creating"), pid=self.pid)

    def _take_successor(self, pid: int, pidfd: int) -> None:
        predecessor, self.pid = self.pidfd, pid
        self.pidfd = pidfd
        os.waitid(os.P_PIDFD, predecessor, os.WEXITED)
        os.close(predecessor)

    def _help(self) -> None:
        """The mounts are in place and the root is not yet entered: network devices, and hooks in our namespaces."""
        self.container.set_process(self.pid)
        self.container.save()
        self._has_begun = True
        self._move_devices()
        found = self.spec.get("hooks") or {}
        state = self.state("creating")
        # Of old, prestart is for a container that has been created; runtime-tools insists on the word.
        run_hooks(found, "prestart", self.state("created"), self.context)
        run_hooks(found, "createRuntime", state, self.context)
        message.send(self._sync, {"event": "hooked", "state": state})

    def _move_devices(self) -> None:
        devices = self.spec["linux"].get("netDevices")
        if devices:
            from sampan.runtime import netdevices

            netns_fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                netdevices.move(devices, netns_fd)
            finally:
                os.close(netns_fd)

    def state(self, status: str) -> "dict[str, Any]":
        """What hooks and listeners are told."""
        return {**self.container.state(status), "status": status, "pid": self.pid}

    def _hand_terminal(self, fd: int) -> None:
        if self.wishes.console_socket:
            hand_terminal(self.wishes.console_socket, fd)
        else:
            self.terminal_fd = fd

    def _publish(self) -> None:
        if self.spec["linux"].get("intelRdt"):
            from sampan.runtime import resctrl

            group = resctrl.group_for(self.spec["linux"]["intelRdt"], self.container.id)
            group.create()
            group.add(self.pid)
        self.container.set_process(self.pid)
        self.container.save()
        if self.wishes.pidfd_socket:
            hand_pidfd(self.wishes.pidfd_socket, self.pidfd)
        if self.wishes.pid_file:
            write_pid(self.wishes.pid_file, self.pid)

    # starting, undoing

    def start(self) -> None:
        """Let the program run; LaunchFailed when it cannot be executed."""
        self._has_begun = True
        go(self._sync, self.state("created"))

    def leave(self) -> None:
        """Let go of a first process that waits for another command's word."""
        if self.pid:
            self._sync.close()
            os.close(self.pidfd)

    def undo(self) -> None:
        """Kill what there is of the container and remove every trace of it."""
        if self.pid:
            try:
                syscalls.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass
            try:
                os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
            except ChildProcessError:
                pass  # a predecessor that had been reaped
        self.leave()
        if not self._has_begun:
            self.spec.pop("hooks", None)  # what has not begun needs no end
        destroy(self.context, self.container)


def _is_frozen(container: "Container") -> bool:
    return _is_there(container) and container.cgroup().is_frozen()


def _is_there(container: "Container") -> bool:
    folder = next(iter(container.cgroup().folders.values()), "")
    return bool(folder) and os.path.isdir(folder)


def _root_of(mappings: "list[dict[str, Any]] | None") -> int:
    """Who is 0 in the container, in the host's numbers."""
    for one in mappings or []:
        if one["containerID"] == 0:
            return int(one["hostID"])
    return 0
