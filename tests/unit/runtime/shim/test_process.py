import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from sampan.runtime import message
from sampan.runtime.request import AttachStream
from sampan.runtime.shim.loop import Loop
from sampan.runtime.shim.process import Pipes, Process
from sampan.runtime.shim.stdio import Stdio
from support import children
from support.waiting import eventually

GATE = 7  # the exit code of a child that was told to go


class Supervised:
    """A Process around a plain fork; `life(sync)` is what the child does, with its end of the conversation."""

    def __init__(self, life: Callable[[socket.socket], object]) -> None:
        self.loop = Loop()
        self.starts: list[dict[str, object] | None] = []
        self.exits: list[int] = []
        self.events: list[tuple[str, list[int]]] = []
        self.stdio = Stdio(self.loop, log=None, close_input_at_end=True, on_drained=lambda: None)
        pipes = Pipes(with_input=False)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def live() -> None:
            ours.close()
            for number, fd in enumerate(pipes.theirs):
                os.dup2(fd, number)
            life(theirs)

        self.pid = children.fork(live)
        theirs.close()
        pipes.close_theirs()
        self.stdio.open_pipes(*pipes.ours)
        self.process = Process(
            self.loop,
            self.pid,
            os.pidfd_open(self.pid),
            ours,
            self.stdio,
            on_start=self.starts.append,
            on_exit=self.exits.append,
            on_event=self._says,
        )

    def _says(self, event: dict[str, Any], fds: list[int]) -> None:
        self.events.append((event["event"], fds))

    def turn(self) -> None:
        self.loop._is_running = True
        self.loop.after(0, self.loop.stop)
        self.loop.run()

    def until(self, check: Callable[[], object]) -> None:
        def turned() -> bool:
            self.turn()
            return bool(check())

        eventually(turned)

    def close(self) -> None:
        if self.process.exit_code is None:
            self.process.abandon()
        self.stdio.close()
        os.close(self.process.pidfd)


def wait_for_go(sync: socket.socket) -> None:
    message.send(sync, {"event": "ready"})
    found = message.receive(sync)
    assert found is not None and found[0] == {"event": "go"}
    sync.close()  # as execve does
    os._exit(GATE)


def sleep(sync: socket.socket) -> None:
    sync.close()
    signal.pause()


def test_a_process_waits_for_go_then_starts_and_ends() -> None:
    one = Supervised(wait_for_go)
    one.until(lambda: one.events)
    assert (one.starts, one.exits) == ([], [])
    one.process.go()
    one.until(lambda: one.exits)
    assert one.events == [("ready", [])] and one.starts == [None]
    assert one.exits == [GATE] and one.process.exit_code == GATE
    one.close()


def test_what_it_says_on_its_way_is_passed_on_with_descriptors() -> None:
    def prepare(sync: socket.socket) -> None:
        message.send(sync, {"event": "prepared"}, [1])
        wait_for_go(sync)

    one = Supervised(prepare)
    one.until(lambda: len(one.events) == 2)
    (first, (fd,)), second = one.events
    assert first == "prepared" and second == ("ready", [])
    os.close(fd)
    one.close()


def test_a_process_ended_by_a_signal_counts_as_128_and_its_number() -> None:
    one = Supervised(sleep)
    one.until(lambda: one.starts)
    one.process.kill(signal.SIGUSR1)
    one.until(lambda: one.exits)
    assert one.exits == [128 + signal.SIGUSR1]
    one.close()


def test_what_could_not_start_tells_why_and_has_no_exit() -> None:
    def fail(sync: socket.socket) -> None:
        message.send(sync, {"event": "error", "message": "no such program", "exit_code": 127})
        os._exit(1)

    one = Supervised(fail)
    one.until(lambda: one.starts and one.process.exit_code is not None)
    assert one.starts == [{"event": "error", "message": "no such program", "exit_code": 127}]
    assert one.exits == [] and not one.process.is_started
    one.close()


def test_a_process_that_is_killed_at_the_gate_did_start_as_far_as_sync_tells_and_its_exit_is_told() -> None:
    one = Supervised(lambda sync: signal.pause())
    os.kill(one.pid, signal.SIGKILL)
    one.until(lambda: one.exits)
    assert one.starts == [None] and one.exits == [128 + signal.SIGKILL]
    one.close()


def test_output_written_just_before_the_end_is_read_before_the_end_is_told() -> None:
    def speak(sync: socket.socket) -> None:
        os.write(1, b"last words")
        os._exit(0)

    one = Supervised(speak)
    far, near = socket.socketpair()
    one.stdio.attach(AttachStream(near.detach(), stdin=False, stdout=True, stderr=True, framed=False))
    one.until(lambda: one.exits)
    assert far.recv(100) == b"last words"
    far.close()
    one.close()


def test_signals_to_what_has_ended_are_refused_and_hit_no_other_process() -> None:
    one = Supervised(lambda sync: None)
    one.until(lambda: one.exits)
    with pytest.raises(ProcessLookupError):
        one.process.kill(signal.SIGTERM)
    one.close()


def test_an_abandoned_process_is_killed_and_reaped_in_silence() -> None:
    one = Supervised(sleep)
    one.process.abandon()
    one.process.abandon()
    one.turn()
    assert (one.starts, one.exits) == ([], [])
    assert one.process.exit_code == 128 + signal.SIGKILL
    with pytest.raises(ChildProcessError):
        os.waitpid(one.pid, 0)
    one.close()


def test_go_to_a_dead_process_is_no_error() -> None:
    one = Supervised(lambda sync: os._exit(5))
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    one.process.go()
    one.until(lambda: one.exits)
    assert one.exits == [5]
    one.close()


def test_a_terminal_is_taken_over_and_its_output_read() -> None:
    def open_terminal(sync: socket.socket) -> None:
        master, slave = os.openpty()
        message.send(sync, {"event": "terminal"}, [master])
        os.close(master)
        os.write(slave, b"screen")
        sync.close()
        signal.pause()

    one = Supervised(open_terminal)
    one.until(lambda: one.starts)
    assert one.stdio.terminal_fd >= 0
    one.process.kill(signal.SIGKILL)
    one.until(lambda: one.exits)
    one.close()


def test_pipes_without_input_read_as_an_empty_file() -> None:
    pipes = Pipes(with_input=False)
    assert pipes.ours[0] == -1
    assert os.read(pipes.theirs[0], 10) == b""
    pipes.close_theirs()
    pipes.close_ours()


def test_pipes_lead_from_end_to_end_and_none_is_inherited() -> None:
    pipes = Pipes(with_input=True)
    ways = [
        (pipes.ours[0], pipes.theirs[0]),
        (pipes.theirs[1], pipes.ours[1]),
        (pipes.theirs[2], pipes.ours[2]),
    ]
    for write, read in ways:
        os.write(write, b"%d" % write)
        assert os.read(read, 10) == b"%d" % write
    assert not any(os.get_inheritable(fd) for fd in (*pipes.ours, *pipes.theirs))
    pipes.close_theirs()
    pipes.close_ours()


@pytest.mark.needs_root
def test_pipes_may_be_anothers_but_never_the_hosts_null_device() -> None:
    null = os.stat("/dev/null")
    for with_input in (False, True):
        pipes = Pipes(with_input=with_input, owner=[1234, 5678])
        owners = [(os.fstat(fd).st_uid, os.fstat(fd).st_gid) for fd in pipes.theirs]
        assert owners[1:] == [(1234, 5678)] * 2
        assert owners[0] == ((1234, 5678) if with_input else (null.st_uid, null.st_gid))
        pipes.close_theirs()
        pipes.close_ours()


def test_input_that_nobody_gives_is_at_its_end_without_the_null_device() -> None:
    pipes = Pipes(with_input=False, lends_null=False)
    assert os.read(pipes.theirs[0], 1) == b"" and os.readlink(f"/proc/self/fd/{pipes.theirs[0]}").startswith("pipe:")
    assert pipes.ours[0] == -1
    pipes.close_theirs()
    pipes.close_ours()
