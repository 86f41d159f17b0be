"""A further process in a container of another runtime: `RUNTIME exec --detach`, which leaves us the process."""

import os

from sampan.runtime.request import AttachStream
from sampan.runtime.shim.foreign import failure
from sampan.runtime.shim.foreign.command import Result
from sampan.runtime.shim.foreign.console import Console
from sampan.runtime.shim.foreign.preparation import write_process
from sampan.runtime.shim.foreign.process import Adopted, read_pid
from sampan.runtime.shim.stdio import Stdio
from sampan.runtime.terminal import set_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.shim.control import Request
    from sampan.runtime.shim.foreign.shim import ForeignShim


class Exec:
    """One exec from its request to its end; known to the shim as its process, under the id that the daemon gave."""

    __slots__ = ("_base", "_console", "_name", "_pipes", "_request", "_shim", "process")

    def __init__(self, shim: "ForeignShim", request: "Request", *, number: int) -> None:
        body = request.body
        self._shim = shim
        self._request = request
        self._name: str = body["id"]
        self._base = f"{shim.orders.exec_dir}/exec-{number}"
        stdio = Stdio(shim.loop, log=None, close_input_at_end=not body["tty"], on_drained=self._leave)
        self.process = Adopted(shim.children, stdio, on_exit=self._ended)
        self._pipes = None if body["tty"] else shim.new_pipes(with_input=body["stdin"])
        self._console = (
            Console(shim.loop, shim.orders.exec_dir, f"exec-{number}.sock", self._take_terminal)
            if body["tty"]
            else None
        )
        shim.execs[self._name] = self.process
        if request.fds:
            stdio.attach(AttachStream.from_json(request.fds.pop(0), body["stream"]))

    def run(self) -> None:
        """Let the runtime make the process; the request is answered when it has."""
        body, init = self._request.body, self._shim.init
        assert init is not None
        options = ["--process", f"{self._base}.json", "--pid-file", f"{self._base}.pid", "--detach"]
        self._shim.commands.run(
            "exec",
            *options,
            *(["--console-socket", self._console.path] if self._console else []),
            on_done=self._made,
            prepare=lambda: write_process(
                f"{self._base}.json", body["process"], init_pid=init.pid, user=body["user"], groups=body["groups"]
            ),
            streams=self._pipes.theirs if self._pipes else None,
        )
        if self._pipes is not None:
            self._pipes.close_theirs()

    def _take_terminal(self, master_fd: int) -> None:
        size = self._request.body["process"].get("consoleSize")
        if size:
            set_size(master_fd, height=size.get("height", 0), width=size.get("width", 0))
        self.process.stdio.open_terminal(master_fd)

    def _made(self, result: Result) -> None:
        if self._console is not None:
            self._console.finish()
        if not result.error:
            try:
                self.process.adopt(read_pid(f"{self._base}.pid"))
            except OSError as error:
                result = Result(str(error))
        self._remove_files()
        if result.error:
            self._fail(result)
            return
        # Not before: what a failing runtime writes to its standard error is no output of the process.
        if self._pipes is not None:
            self.process.stdio.open_pipes(*self._pipes.ours)
        self._request.succeed(pid=self.process.pid)
        self.process.started()

    def _fail(self, result: Result) -> None:
        self.process.abandon()
        del self._shim.execs[self._name]
        error = failure.start_error(result, failure.EXEC)
        self._request.fail("StartFailed", error["message"], exit_code=error["exit_code"])
        if self._pipes is not None:
            self._pipes.close_ours()
        self.process.stdio.close()

    def _remove_files(self) -> None:
        for suffix in ("json", "pid"):
            try:
                os.unlink(f"{self._base}.{suffix}")
            except FileNotFoundError:
                continue

    def _ended(self, code: int) -> None:
        # First the news, then the end of the client's stream: who sees the stream end may ask for the code at once.
        self._shim.tell({"event": "exec_exit", "id": self._name, "exit_code": code})
        self._leave()

    def _leave(self) -> None:
        """Go when the process has ended and all its output is delivered."""
        process = self.process
        if process.exit_code is None or not process.stdio.is_drained or self._shim.execs.get(self._name) is not process:
            return
        if process.stdio.has_unsent:
            self._shim.loop.after(0.01, self._leave)
            return
        del self._shim.execs[self._name]
        process.let_go()
        process.stdio.close()
