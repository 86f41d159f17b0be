"""The shim of a container that another runtime runs, by the command line that runc has given to all of them.

    request      command                                     what the shim waits for
    (launch)     create --bundle <exec_dir> --pid-file ...   the container's process exists; it is ours (`children`)
    start        start                                       it executes its program
    exec         exec --detach --process ... --pid-file ...  as for create, and it executes at once
    kill         kill ID SIGNAL                              for an exec: the signal itself, there is no command
    freeze       pause, resume
    (the end)    delete --force                              nothing of the runtime's is left

Everything else is `Shim`'s: log, streams, exit record, events, survival. No command blocks the loop.
Files       <exec_dir>/{runtime/, config.json, rootfs, init.pid, log-<n>.json, exec-<n>.*} beside the usual ones; in
            state.json also "runtime" and "id", for `foreign.cleanup`.
"""

import os
import time

from sampan.base import jsontext
from sampan.base.atomicfile import write_atomic
from sampan.linux.process import start_ticks
from sampan.runtime import ground, message
from sampan.runtime.cleanup import remove_cgroup, remove_exec_dir
from sampan.runtime.request import InitOrders
from sampan.runtime.shim.control import Refused
from sampan.runtime.shim.foreign import failure
from sampan.runtime.shim.foreign.children import Children
from sampan.runtime.shim.foreign.command import Commands, Result
from sampan.runtime.shim.foreign.console import Console
from sampan.runtime.shim.foreign.execs import Exec
from sampan.runtime.shim.foreign.preparation import make_bundle
from sampan.runtime.shim.foreign.process import Adopted, read_pid
from sampan.runtime.shim.main import Shim
from sampan.runtime.shim.process import Pipes
from sampan.runtime.terminal import set_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket as socket
    import signal
    from typing import Any

    from sampan.runtime.request import ShimOrders
    from sampan.runtime.shim.control import Request
    from sampan.runtime.shim.start import Newborn
else:
    import _signal as signal  # the same functions without the enums around them

PATIENCE_S = 10.0  # with commands that have no reason to take long
# What runtimes say when a signal came too late.
_TOO_LATE = ("not running", "no such process", "already finished", "does not exist", "stopped")


class ForeignShim(Shim):
    """As `Shim`, but for who makes the processes."""

    def __init__(self, orders: "ShimOrders", control: "socket.socket") -> None:
        super().__init__(orders, control)
        assert orders.runtime is not None
        self.children = Children(self.loop)
        self.commands = Commands(self.loop, self.children, orders.runtime, exec_dir=orders.exec_dir, id=orders.id)
        self._first = Adopted(self.children, self.stdio, on_exit=self._init_ended)
        self.init = self._first
        self._console: Console | None = None
        self._pipes: Pipes | None = None
        self._size: dict[str, int] = {}
        self._exec_count = 0
        self._is_leaving = False

    # the beginning

    def launch(self, newborn: "Newborn | None", init_fd: int, *, namespace_fds: "dict[str, int]") -> None:
        orders = InitOrders(message.decode(b"M", [init_fd]))
        self._size = orders.spec["process"].get("consoleSize") or {}
        self._listen(ground.lay_out(orders, self.cgroup).detach())
        if self.orders.stdio_owner:
            # Its root has to find the way to the bundle.
            os.chown(orders.exec_dir, 0, self.orders.stdio_owner[1])
            os.chmod(orders.exec_dir, 0o710)
        self._write_state()
        options = ["--bundle", orders.exec_dir, "--pid-file", self._pid_path]
        if orders.tty:
            self._console = Console(self.loop, orders.exec_dir, "init.sock", self._take_terminal)
            options += ["--console-socket", self._console.path]
        else:
            self._pipes = self.new_pipes(with_input=self.orders.open_stdin)
        paths = {kind: f"/proc/{os.getpid()}/fd/{fd}" for kind, fd in namespace_fds.items()}
        self.commands.run(
            "create",
            *options,
            on_done=lambda result: self._created(result, namespace_fds),
            prepare=lambda: make_bundle(orders, namespace_paths=paths),
            streams=self._pipes.theirs if self._pipes else None,
        )
        if self._pipes is not None:
            self._pipes.close_theirs()

    def new_pipes(self, *, with_input: bool) -> Pipes:
        """For a process that the runtime makes. In a user namespace, crun gives what it gets as stdin to the user of
        the container, be it the host's /dev/null (seen with 1.8.1); so it gets another."""
        owner = self.orders.stdio_owner
        return Pipes(with_input=with_input, owner=owner, lends_null=not owner)

    @property
    def _pid_path(self) -> str:
        return f"{self.orders.exec_dir}/init.pid"

    def _write_state(self) -> None:
        pid = os.getpid()
        state = {
            "pid": pid,
            "start_ticks": start_ticks(pid),
            "shim_pid": pid,
            "cgroup": self.cgroup.path,
            "exit_path": self.orders.exit_path,
            "runtime": self.orders.runtime,
            "id": self.orders.id,
        }
        write_atomic(f"{self.orders.exec_dir}/{ground.STATE}", jsontext.dumps(state).encode(), durable=False)

    def _take_terminal(self, master_fd: int) -> None:
        if self._size:
            set_size(master_fd, height=self._size.get("height", 0), width=self._size.get("width", 0))
        self.stdio.open_terminal(master_fd)

    def _created(self, result: Result, namespace_fds: "dict[str, int]") -> None:
        for fd in namespace_fds.values():
            os.close(fd)
        if self._console is not None:
            self._console.finish()
        if not result.error:
            try:
                self._first.adopt(read_pid(self._pid_path))
            except OSError as error:
                result = Result(str(error))
        if result.error:
            self._give_up(failure.start_error(result, failure.CREATE))
            return
        # Not before: what a failing runtime writes to its standard error is no output of the container.
        if self._pipes is not None:
            self.stdio.open_pipes(*self._pipes.ours)
            self._pipes = None
        self._is_ready = True
        self._go_if_complete()

    def _go_if_complete(self) -> None:
        if self._is_ready and self._start_request is not None and not self._went:
            self._went = True
            self._started_at_ns = time.time_ns()
            self.commands.run("start", on_done=self._has_started)

    def _has_started(self, result: Result) -> None:
        if result.error:
            self._give_up(failure.start_error(result, failure.START))
            return
        assert self._start_request is not None
        self._start_request.succeed(pid=self._first.pid, started_at_ns=self._started_at_ns)
        self._first.started()

    def _give_up(self, error: "dict[str, Any]") -> None:
        if self._is_leaving:
            return
        self._is_leaving = self._went = True
        if self._console is not None:
            self._console.close()
        if self._pipes is not None:
            self._pipes.close_ours()
        self.stdio.close()
        if self.log is not None:
            self.log.close(time.time_ns())
        if self._listener is None:
            self._tell_failure(error)  # the directory is another shim's
            return
        self.commands.abandon(lambda: self._delete(lambda _: self._is_gone(error)))

    def _delete(self, then: "Any") -> None:
        self.commands.run("delete", "--force", on_done=then, timeout_s=PATIENCE_S)

    def _is_gone(self, error: "dict[str, Any]") -> None:
        self._first.abandon()
        remove_cgroup(self.cgroup)
        self._stop_listening()
        remove_exec_dir(self.orders.exec_dir)
        self._tell_failure(error)

    # requests

    def _do_discard(self, request: "Request") -> None:
        if self._is_leaving and self._failed is None:
            self._discard_request = request  # answered when everything is gone
        else:
            super()._do_discard(request)

    def _do_exec(self, request: "Request") -> None:
        if not self._first.is_started or self._first.exit_code is not None:
            raise Refused("Conflict", f"container {self.orders.id} is not running")
        self._exec_count += 1
        Exec(self, request, number=self._exec_count).run()

    def _do_kill(self, request: "Request") -> None:
        if request.body.get("exec"):
            super()._do_kill(request)
            return
        self._process(request)
        number: int = request.body["signal"]
        options = ["--all"] if request.body.get("all") else []
        self.commands.run(
            "kill",
            *options,
            tail=(str(number),),
            on_done=lambda result: self._killed(request, number, result),
            timeout_s=PATIENCE_S,
        )

    def _killed(self, request: "Request", number: int, result: Result) -> None:
        if not result.error:
            request.succeed()
        elif self._first.exit_code is not None or any(text in result.error for text in _TOO_LATE):
            request.fail("NotFound", "process is not running")
        elif number == signal.SIGKILL:
            # Whatever ails the runtime, the container ends.
            self._first.kill(number)
            request.succeed()
        else:
            request.fail("Internal", f"OCI runtime kill failed: {result.error}")

    def _do_freeze(self, request: "Request") -> None:
        verb = "pause" if request.body["frozen"] else "resume"

        def done(result: Result) -> None:
            if result.error:
                request.fail("Internal", f"OCI runtime {verb} failed: {result.error}")
            else:
                request.succeed()

        self.commands.run(verb, on_done=done, timeout_s=PATIENCE_S)

    # the end

    def _finish(self) -> None:
        if not self._is_leaving:
            self._is_leaving = True
            self._delete(lambda _: Shim._finish(self))
