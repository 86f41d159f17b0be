"""The shim: supervises one container from its launch to its end, whatever becomes of daemon and launcher.

Life        launched ──(init ready, daemon says start)──▶ running ──(init ends)──▶ ended ──(clients served)──▶ gone
            launched ──(init fails, or the daemon goes away before start)──▶ gone, with nothing left behind
Memory      What it touches it keeps as long as the container runs, so the first process does the work (`runtime.init`).
Files       <exec_dir>  made by the first process (`runtime.ground`)
            <exit_path> the exit record: written before anybody hears of the end, on the disk right after
At the end  drained output, closed log, exit record, no cgroups, no exec_dir: in this order, then the exit event; so who
            has heard of the exit may start or remove the container again at once.
"""

import _socket as socket
import os
import sys
import time

from sampan.base import jsontext
from sampan.base.atomicfile import make_durable, write_atomic
from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.title import set_title
from sampan.runtime import ground, message, rehearsal, restrict, terminal
from sampan.runtime.cgroup.detect import cgroup_for, hierarchies
from sampan.runtime.cleanup import remove_cgroup, remove_exec_dir
from sampan.runtime.namespaces import USUAL_FLAGS
from sampan.runtime.request import AttachStream, ExitRecord, ShimOrders
from sampan.runtime.shim.control import Connection, Refused, Request
from sampan.runtime.shim.log import Log
from sampan.runtime.shim.loop import IN, Loop
from sampan.runtime.shim.process import Pipes, Process, Supervised
from sampan.runtime.shim.start import Newborn, clone_init, hand_listener, join_container
from sampan.runtime.shim.stdio import Stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn

    from sampan.runtime.cgroup.detect import Cgroup
else:
    import _signal as signal  # the same functions without the enums around them

LINGER_S = 30.0  # for clients that are slow to take the last output
STRAY_OUTPUT_S = 0.2  # for pipes that a surviving process of a shared PID namespace holds open


class Shim:
    """The supervisor of one container; `run` returns when nothing is left to do."""

    def __init__(self, orders: ShimOrders, control: socket.socket) -> None:
        self.orders = orders
        self.loop = Loop()
        self._cgroup: Cgroup | None = None
        self._made_cgroup = False  # by this process, before init lays the ground: on version 2 only
        self.execs: dict[str, Supervised] = {}
        self.connections: list[Connection] = []
        self._start_request: Request | None = None
        self._discard_request: Request | None = None
        self._failed: dict[str, Any] | None = None
        self._is_ready = False
        self._went = False
        self._started_at_ns = 0
        self._joined_pid_ns = False
        self._record: ExitRecord | None = None
        self._listener: socket.socket | None = None
        self._connect(control)
        self.log = Log(orders.log) if orders.log["driver"] == "json-file" else None
        self.stdio = Stdio(
            self.loop, log=self.log, close_input_at_end=orders.stdin_once and not orders.tty, on_drained=self._drained
        )
        self.init: Supervised | None = None

    @property
    def cgroup(self) -> "Cgroup":
        """The container's cgroups; made when first asked for, which is late in most containers' lives."""
        if self._cgroup is None:
            self._cgroup = cgroup_for(self.orders.cgroup_path)
        return self._cgroup

    # the beginning

    def _listen(self, fd: int) -> None:
        self._listener = socket.socket(fileno=fd)
        self.loop.watch(fd, IN, self._accept)

    def _accept(self, events: int) -> None:
        assert self._listener is not None
        fd, _ = self._listener._accept()  # type: ignore[attr-defined]  # what socket.accept wraps
        self._connect(socket.socket(fileno=fd))

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self.loop.unwatch(self._listener.fileno())
            self._listener.close()
            self._listener = None

    def _connect(self, sock: socket.socket) -> None:
        self.connections.append(Connection(self.loop, sock, self._obey, self._disconnected))

    def _disconnected(self, connection: Connection) -> None:
        self.connections.remove(connection)
        if self._failed is not None:
            self.loop.stop()
        elif not self._went and not self.connections:
            # Nobody will ever say start: the daemon died half-way through a launch.
            self._give_up({"message": "the daemon went away", "exit_code": restrict.FAILED})

    def launch(self, newborn: Newborn | None, init_fd: int, *, namespace_fds: "dict[str, int]") -> None:
        """Let the first process (one cloned ahead, or a new one) set itself up; failures answer the `start` request.

        `init_fd` holds what the first process is told (`LaunchRequest.init_part`), which is passed on unread, and is
        closed. `namespace_fds`: those made ahead, in the order in which that names them.
        """
        orders = self.orders
        pipes = None if orders.tty else Pipes(with_input=orders.open_stdin, owner=orders.stdio_owner)
        if newborn is None or not newborn.is_alive:
            newborn = self._clone()
        if pipes is not None:
            self.stdio.open_pipes(*pipes.ours)
        self.init = Process(
            self.loop,
            newborn.pid,
            newborn.pidfd,
            newborn.sync,
            self.stdio,
            on_start=self._init_started,
            on_exit=self._init_ended,
            on_event=self._init_says,
        )
        fds = [*(pipes.theirs if pipes else ()), *namespace_fds.values()]
        message.send_held(newborn.sync, init_fd, fds)
        for fd in [init_fd, *fds]:
            os.close(fd)

    def _clone(self) -> Newborn:
        cgroup_fd = 0
        if hierarchies().is_v2:
            cgroup = self.cgroup
            self._made_cgroup = bool(cgroup.create())
            cgroup_fd = cgroup.clone_fd()
        newborn = clone_init(self.orders.birth_flags, cgroup_fd=cgroup_fd)
        if cgroup_fd:
            os.close(cgroup_fd)
        return newborn

    def _init_says(self, event: "dict[str, Any]", fds: "list[int]") -> None:
        if event["event"] == "prepared":
            self._listen(fds[0])
        elif event["event"] == "listener":
            assert self.init is not None
            error = hand_listener(event, fds[0], container_id=self.orders.id, pid=self.init.pid)
            if error:
                self._give_up({"message": error, "exit_code": restrict.FAILED})
        elif event["event"] == "ready":
            self._is_ready = True
            self._go_if_complete()

    def _go_if_complete(self) -> None:
        if self._is_ready and self._start_request is not None and not self._went:
            assert isinstance(self.init, Process)
            self._went = True
            self._started_at_ns = time.time_ns()
            self.init.go()

    def _init_started(self, error: "dict[str, Any] | None") -> None:
        if error is None and self._went:
            assert self.init is not None and self._start_request is not None
            self._start_request.succeed(pid=self.init.pid, started_at_ns=self._started_at_ns)
            return
        self._give_up(error or {"message": "container init died", "exit_code": restrict.FAILED})

    def _give_up(self, error: "dict[str, Any]") -> None:
        """The container never ran: leave nothing, then say why."""
        self._went = True
        if self.init is not None:
            self.init.abandon()
        self.stdio.close()
        if self.log is not None:
            self.log.close(time.time_ns())
        # What init made may not have been heard of yet; what belongs to another shim stays.
        if self._listener is not None or ground.is_laid_for(os.getpid(), self.orders.exec_dir):
            self._stop_listening()
            remove_cgroup(self.cgroup)
            remove_exec_dir(self.orders.exec_dir)
        elif self._made_cgroup:
            remove_cgroup(self.cgroup)
        self._tell_failure(error)

    def _tell_failure(self, error: "dict[str, Any]") -> None:
        """Nothing is left: answer whoever waits for that, or keep the answer for who is going to ask."""
        if self._discard_request is not None:
            self._discard_request.succeed()
            self.loop.stop()
        elif self._start_request is not None:
            self._start_request.fail("StartFailed", error["message"], exit_code=error["exit_code"])
            self.loop.stop()
        elif self.connections:
            self._failed = error  # the daemon will ask
        else:
            self.loop.stop()

    # requests

    def _obey(self, request: Request) -> None:
        do = request.body["do"]
        if do not in _ACTIONS:
            raise Refused("Unimplemented", f"the shim does not know {do!r}")
        getattr(self, f"_do_{do}")(request)

    def _do_start(self, request: Request) -> None:
        if self._start_request is not None:
            raise Refused("Conflict", "already started")
        self._start_request = request
        if self._failed is not None:
            request.fail("StartFailed", self._failed["message"], exit_code=self._failed["exit_code"])
            self.loop.stop()
            return
        self._go_if_complete()

    def _do_discard(self, request: Request) -> None:
        if self._went and self._failed is None:
            raise Refused("Conflict", "already started")
        self._discard_request = request
        if self._failed is not None:
            self._tell_failure(self._failed)  # it has given up by itself before
        else:
            self._give_up({"message": "discarded", "exit_code": restrict.FAILED})

    def _do_state(self, request: Request) -> None:
        assert self.init is not None
        request.succeed(
            pid=self.init.pid,
            started_at_ns=self._started_at_ns,
            execs={name: {"pid": process.pid, "is_running": True} for name, process in self.execs.items()},
        )

    def _do_attach(self, request: Request) -> None:
        self.stdio.attach(AttachStream.from_json(request.fds.pop(0), request.body["stream"]))
        request.succeed()

    def _do_exec(self, request: Request) -> None:
        if self.init is None or not self.init.is_started or self.init.exit_code is not None:
            raise Refused("Conflict", f"container {self.orders.id} is not running")
        self._enter_pid_namespace()
        join_container(self, request)

    def _enter_pid_namespace(self) -> None:
        # From now on this process's children are born in the container; it stays where it is itself (setns(2)).
        assert self.init is not None
        if not self._joined_pid_ns:
            self._joined_pid_ns = True
            syscalls.setns(self.init.pidfd, c.CLONE_NEWPID)

    def _process(self, request: Request) -> Supervised:
        name = request.body.get("exec")
        process = self.execs.get(name) if name else self.init
        if process is None or process.exit_code is not None:
            raise Refused("NotFound", "process is not running")
        return process

    def _do_resize(self, request: Request) -> None:
        process = self._process(request)
        if process.stdio.terminal_fd < 0:
            raise Refused("Conflict", "the process has no terminal")
        height, width = request.body["height"], request.body["width"]
        terminal.set_size(process.stdio.terminal_fd, height=height, width=width)
        request.succeed()

    def _do_kill(self, request: Request) -> None:
        number = request.body["signal"]
        try:
            self._process(request).kill(number)
        except ProcessLookupError:
            raise Refused("NotFound", "process is not running") from None
        if request.body.get("all"):
            for pid in self.cgroup.pids():
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
        request.succeed()

    def _do_freeze(self, request: Request) -> None:
        self.cgroup.freeze(frozen=request.body["frozen"])
        request.succeed()

    def tell(self, event: "dict[str, object]") -> None:
        """Send an event to every daemon that listens."""
        for connection in list(self.connections):
            connection.send(event)

    # the end

    def _init_ended(self, exit_code: int) -> None:
        finished_at_ns = time.time_ns()
        self._record = ExitRecord(
            exit_code=exit_code,
            oom_killed=self.cgroup.oom_kills() > 0,
            started_at_ns=self._started_at_ns,
            finished_at_ns=finished_at_ns,
        )
        if self.stdio.is_drained:
            self._finish()
        else:
            self.loop.after(STRAY_OUTPUT_S, self.stdio.end_sources)

    def _drained(self) -> None:
        if self._record is not None:
            self._finish()

    def _finish(self) -> None:
        record = self._record
        assert record is not None
        if self.log is not None:
            self.log.close(time.time_ns())
            self.log = None
        content = jsontext.dumps(record.to_json()).encode()
        write_atomic(self.orders.exit_path, content, durable=False)
        remove_cgroup(self.cgroup)
        self._stop_listening()
        remove_exec_dir(self.orders.exec_dir)
        self.tell({"event": "exit", "record": record.to_json()})
        self.loop.after(LINGER_S, self.loop.stop)
        self._leave_when_served()
        try:
            make_durable(self.orders.exit_path)
        except FileNotFoundError:
            pass  # who has heard of the end has removed the container

    def _leave_when_served(self) -> None:
        processes = [self.stdio, *(process.stdio for process in self.execs.values())]
        if self.execs or any(stdio.has_unsent for stdio in processes):
            self.loop.after(0.01, self._leave_when_served)
        else:
            self.loop.stop()

    def close(self) -> None:
        """Close what clients wait on; the process exits right after."""
        self.stdio.close()
        for process in self.execs.values():
            process.stdio.close()


_ACTIONS = frozenset("start discard state attach exec resize kill freeze".split())  # each has its _do_ method


def run(sock: socket.socket, *, ahead: bool, example_fd: int = -1) -> "NoReturn":
    """The shim's whole life, in a process that the launcher has just forked.

    One message arrives on `sock`: {"shim", "namespaces", "attaches"} with the control socket, a memfd of what the first
    process is told, the namespaces of these kinds, and a socket for each of the attaches. With `ahead` the first one
    is cloned before that, and rehearses what `example_fd` holds.
    """
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        newborn = clone_init(USUAL_FLAGS, prepare=lambda: rehearsal.as_init(example_fd)) if ahead else None
        if example_fd >= 0:
            os.close(example_fd)
        found = message.receive(sock)
        sock.close()
        if found is not None:
            _supervise(newborn, *found)
        code = 0
    except BaseException as error:  # the process's edge: what goes wrong here has nowhere else to be told
        sys.stderr.write(f"shim {os.getpid()}: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
    finally:
        os._exit(code)  # whatever happens: what lies above on this stack is the launcher's


def _supervise(newborn: Newborn | None, body: "dict[str, Any]", fds: "list[int]") -> None:
    control = socket.socket(fileno=fds.pop(0))
    init_fd = fds.pop(0)
    namespace_fds = {kind: fds.pop(0) for kind in body["namespaces"]}
    set_title(b"sampan-shim " + body["shim"]["id"].encode())
    orders = ShimOrders(body["shim"])
    shim = _foreign_shim(orders, control) if orders.runtime else Shim(orders, control)
    for found, fd in zip(body["attaches"], fds, strict=True):
        shim.stdio.attach(AttachStream.from_json(fd, found))
    try:
        shim.launch(newborn, init_fd, namespace_fds=namespace_fds)
    except OSError as error:
        shim._give_up({"message": str(error), "exit_code": restrict.FAILED})
    shim.loop.run()
    shim.close()


def _foreign_shim(orders: ShimOrders, control: socket.socket) -> Shim:
    # Not before: what drives other runtimes is no part of the launcher's memory, nor of most shims'.
    from sampan.runtime.shim.foreign.shim import ForeignShim

    return ForeignShim(orders, control)
