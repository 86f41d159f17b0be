import os
import socket
from typing import Any

from sampan.runtime.request import AttachStream
from sampan.runtime.shim.loop import Loop
from sampan.runtime.shim.process import Pipes
from sampan.runtime.shim.stdio import HIGH_BYTES, Stdio


class Log:
    """Remembers what would be written to a log file."""

    def __init__(self) -> None:
        self.written: list[tuple[str, bytes]] = []
        self.flushed: list[str] = []

    def write(self, stream: str, chunk: bytes, time_ns: int) -> None:
        self.written.append((stream, chunk))

    def flush(self, stream: str, time_ns: int) -> None:
        self.flushed.append(stream)


class Wired:
    """A Stdio whose process is the test itself."""

    def __init__(self, *, close_input_at_end: bool = True) -> None:
        self.loop, self.log, self.drained = Loop(), Log(), 0
        self.fars: list[socket.socket] = []
        log: Any = self.log
        self.stdio = Stdio(self.loop, log=log, close_input_at_end=close_input_at_end, on_drained=self._drained)
        pipes = Pipes(with_input=True)
        self.input, self.output, self.error = pipes.theirs
        self.stdio.open_pipes(*pipes.ours)

    def _drained(self) -> None:
        self.drained += 1

    def attach(self, **options: Any) -> socket.socket:
        far, near = socket.socketpair()
        far.settimeout(5)
        self.fars.append(far)
        wanted = {"stdin": True, "stdout": True, "stderr": True, "framed": False, **options}
        self.stdio.attach(AttachStream(near.detach(), **wanted))
        return far

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.loop._is_running = True
            self.loop.after(0, self.loop.stop)
            self.loop.run()

    def close(self) -> None:
        self.stdio.close()
        for far in self.fars:
            far.close()
        for fd in (self.input, self.output, self.error):
            try:
                os.close(fd)
            except OSError:
                continue


def test_output_goes_to_the_log_and_to_every_client() -> None:
    wired = Wired()
    one, two = wired.attach(), wired.attach(stderr=False)
    os.write(wired.output, b"out")
    wired.turn()
    os.write(wired.error, b"err")
    wired.turn()
    assert wired.log.written == [("stdout", b"out"), ("stderr", b"err")]
    assert one.recv(100) == b"outerr"
    assert two.recv(100) == b"out"
    wired.close()


def test_input_ends_for_the_process_when_the_client_half_closes() -> None:
    wired = Wired()
    far = wired.attach()
    far.sendall(b"typed")
    far.shutdown(socket.SHUT_WR)
    wired.turn(3)
    assert os.read(wired.input, 100) == b"typed"
    assert os.read(wired.input, 100) == b""
    wired.close()


def test_input_stays_open_for_the_next_client_unless_it_is_meant_to_end() -> None:
    wired = Wired(close_input_at_end=False)
    first = wired.attach()
    first.close()
    wired.turn(2)
    second = wired.attach()
    second.sendall(b"more")
    wired.turn(2)
    assert os.read(wired.input, 100) == b"more"
    wired.close()


def test_a_client_that_does_not_read_slows_the_process_down_and_memory_stays_bounded() -> None:
    wired = Wired()
    far = wired.attach()
    os.set_blocking(wired.output, False)
    sent, quiet = 0, 0
    while quiet < 5:
        try:
            sent += os.write(wired.output, b"x" * 65536)
            quiet = 0
        except BlockingIOError:
            quiet += 1
        wired.turn()
    assert sent < HIGH_BYTES * 4
    got = 0
    os.close(wired.output)
    while got < sent:
        got += len(far.recv(1 << 20))
        wired.turn()
    assert got == sent
    wired.close()


def test_the_end_of_both_outputs_is_told_once_and_flushes_the_log() -> None:
    wired = Wired()
    os.write(wired.output, b"last words")
    os.close(wired.output)
    os.close(wired.error)
    wired.stdio.drain()
    assert wired.drained == 1 and wired.stdio.is_drained
    assert wired.log.written == [("stdout", b"last words")]
    assert sorted(wired.log.flushed) == ["stderr", "stdout"]
    wired.close()


def test_first_input_that_came_with_the_request_is_not_lost() -> None:
    wired = Wired()
    wired.attach(initial=b"early")
    assert os.read(wired.input, 100) == b"early"
    wired.close()


def test_a_process_that_closed_its_input_does_not_hurt() -> None:
    wired = Wired()
    far = wired.attach()
    os.close(wired.input)
    far.sendall(b"nobody reads")
    wired.turn(2)
    os.write(wired.output, b"alive")
    wired.turn()
    assert far.recv(100) == b"alive"
    wired.close()
