"""A process's standard streams: output to the log and to every attached client, input from them.

Back pressure   Output is read from the process only while no client has more than HIGH_BYTES unsent; input is read from
                a client only while the process takes it. Memory is bounded in both directions.
"""

import os
import select
import time

from sampan.runtime.shim.client import PIECE_BYTES, Client
from sampan.runtime.shim.loop import GONE, IN, OUT, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sampan.runtime.request import AttachStream
    from sampan.runtime.shim.log import Log

HIGH_BYTES = 1 << 20


class Stdio:
    """The shim's ends of one process's pipes or terminal.

    `close_input_at_end`: the process's input ends when a client that gave input has half-closed or gone.
    """

    __slots__ = (
        "_clients",
        "_close_input_at_end",
        "_input",
        "_input_fd",
        "_is_input_ending",
        "_is_paused",
        "_log",
        "_loop",
        "_on_drained",
        "_sources",
        "terminal_fd",
    )

    def __init__(
        self, loop: Loop, *, log: "Log | None", close_input_at_end: bool, on_drained: "Callable[[], None]"
    ) -> None:
        self._loop = loop
        self._log = log
        self._close_input_at_end = close_input_at_end
        self._on_drained = on_drained
        self._sources: dict[int, str] = {}
        self._clients: list[Client] = []
        self._input_fd = -1
        self._input = b""
        self._is_input_ending = False
        self._is_paused = False
        self.terminal_fd = -1

    def open_pipes(self, input_fd: int, output_fd: int, error_fd: int) -> None:
        """Take the shim's ends of three pipes; `input_fd` -1 when the process has no input."""
        if input_fd >= 0:
            self._take_input(input_fd)
        self._add_source(output_fd, "stdout")
        self._add_source(error_fd, "stderr")

    def open_terminal(self, master_fd: int) -> None:
        """Take a terminal's master; what comes from it counts as standard output."""
        self.terminal_fd = master_fd
        self._take_input(os.dup(master_fd))
        self._add_source(master_fd, "stdout")

    def _take_input(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._input_fd = fd
        self._pump_input()

    def _add_source(self, fd: int, name: str) -> None:
        os.set_blocking(fd, False)
        self._sources[fd] = name
        self._watch_source(fd)

    def _watch_source(self, fd: int) -> None:
        self._loop.watch(fd, IN, lambda events: self._read(fd))

    def attach(self, stream: "AttachStream") -> None:
        """Add a client; it gets the output from now on."""
        client = Client(self._loop, stream, self._take_from, self._resume)
        self._clients.append(client)
        if stream.initial:
            client.input(stream.initial)

    # output

    def _read(self, fd: int) -> None:
        try:
            piece = os.read(fd, PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            # EIO: no process has the terminal open any more.
            piece = b""
        if not piece:
            self._end_source(fd)
            return
        name = self._sources[fd]
        if self._log is not None:
            self._log.write(name, piece, time.time_ns())
        for client in self._clients:
            if client.is_open and client.wants(name):
                client.send(name, piece)
        if any(client.pending_bytes > HIGH_BYTES for client in self._clients):
            self._pause()

    def _end_source(self, fd: int) -> None:
        name = self._sources.pop(fd)
        self._loop.unwatch(fd)
        os.close(fd)
        if fd == self.terminal_fd:
            self.terminal_fd = -1
        if self._log is not None:
            self._log.flush(name, time.time_ns())
        if not self._sources:
            self._on_drained()

    def _pause(self) -> None:
        self._is_paused = True
        for fd in self._sources:
            self._loop.unwatch(fd)

    def _resume(self) -> None:
        self._clients = [client for client in self._clients if client.is_open]
        self._end_input_of_nobody()
        if self._is_paused and not any(client.pending_bytes > HIGH_BYTES // 2 for client in self._clients):
            self._is_paused = False
            for fd in self._sources:
                self._watch_source(fd)

    @property
    def is_drained(self) -> bool:
        """Whether everything that the process wrote has been read."""
        return not self._sources

    def drain(self) -> None:
        """The process has ended: read what its pipes still hold, whatever the clients' pace."""
        for fd in list(self._sources):
            while fd in self._sources and _has_input(fd):
                self._read(fd)

    def end_sources(self) -> None:
        """Give up pipes that some surviving process still holds open."""
        for fd in list(self._sources):
            self._end_source(fd)

    # input

    def _take_from(self, client: Client, piece: bytes) -> None:
        if not piece:
            if self._close_input_at_end:
                self._is_input_ending = True
                self._pump_input()
            return
        self._input += piece
        self._pump_input()

    def _pump_input(self) -> None:
        fd = self._input_fd
        if fd < 0:
            return
        try:
            while self._input:
                self._input = self._input[os.write(fd, self._input) :]
        except BlockingIOError:
            self._loop.watch(fd, OUT, self._input_ready)
            self._want_input(wanted=False)
            return
        except OSError:
            # The process has closed its end.
            self.close_input()
            return
        self._loop.unwatch(fd)
        self._want_input(wanted=True)
        if self._is_input_ending:
            self.close_input()

    def _input_ready(self, events: int) -> None:
        if events & GONE and not events & OUT:
            self.close_input()
        else:
            self._pump_input()

    def _want_input(self, *, wanted: bool) -> None:
        for client in self._clients:
            client.want_input(wanted=wanted)

    def _end_input_of_nobody(self) -> None:
        # The one client that fed the input has gone: nobody will ever end it.
        if self._close_input_at_end and not any(client.stream.stdin for client in self._clients):
            self._is_input_ending = True
            self._pump_input()

    def close_input(self) -> None:
        """End of file for the process; input that comes later is dropped."""
        if self._input_fd >= 0:
            self._loop.unwatch(self._input_fd)
            os.close(self._input_fd)
            self._input_fd = -1
        self._input = b""

    # the end

    @property
    def has_unsent(self) -> bool:
        """Whether a client still has output to get."""
        return any(client.pending_bytes for client in self._clients)

    def close(self) -> None:
        """Let go of everything: clients, terminal, pipes."""
        self.close_input()
        self.end_sources()
        for client in self._clients:
            client.close()
        self._clients = []


def _has_input(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
