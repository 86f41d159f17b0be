import os
import socket

import pytest

from sampan.runtime import message
from sampan.runtime.shim.control import Connection, Refused, Request
from sampan.runtime.shim.loop import Loop


class Connected:
    """A control connection with the test as the daemon; `obey` is what the shim does."""

    def __init__(self, obey: object = None) -> None:
        self.loop = Loop()
        self.far, near = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.far.settimeout(5)
        self.requests: list[Request] = []
        self.closed: list[Connection] = []
        self.obey = obey
        self.connection = Connection(self.loop, near, self._obey, self.closed.append)

    def _obey(self, request: Request) -> None:
        self.requests.append(request)
        if isinstance(self.obey, Exception):
            raise self.obey
        if callable(self.obey):
            self.obey(request)

    def ask(self, *fds: int, **body: object) -> None:
        message.send(self.far, {"seq": 1, "do": "something", **body}, fds)
        self.turn()

    def turn(self) -> None:
        self.loop._is_running = True
        self.loop.after(0, self.loop.stop)
        self.loop.run()

    def answer(self) -> dict[str, object] | None:
        found = message.receive(self.far)
        return found[0] if found else None

    def close(self) -> None:
        self.connection.close()
        self.far.close()


def test_an_answer_carries_the_number_of_its_request() -> None:
    one = Connected(lambda request: request.succeed(pid=5))
    one.ask(seq=77)
    assert one.answer() == {"seq": 77, "ok": {"pid": 5}}
    one.close()


def test_an_answer_may_come_later_and_out_of_turn() -> None:
    one = Connected()
    one.ask(seq=1)
    one.ask(seq=2)
    one.requests[1].succeed()
    one.requests[0].fail("StartFailed", "not found", exit_code=127)
    assert one.answer() == {"seq": 2, "ok": {}}
    assert one.answer() == {"seq": 1, "error": {"class": "StartFailed", "message": "not found", "exit_code": 127}}
    one.close()


def test_a_refusal_names_its_class() -> None:
    one = Connected(Refused("NotFound", "process is not running", exit_code=3))
    one.ask()
    assert one.answer() == {
        "seq": 1,
        "error": {"class": "NotFound", "message": "process is not running", "exit_code": 3},
    }
    one.close()


@pytest.mark.parametrize("error", [OSError("no space"), KeyError("stream"), ValueError("bad")])
def test_a_failure_is_answered_as_internal_and_the_connection_goes_on(error: Exception) -> None:
    one = Connected(error)
    one.ask()
    found = one.answer()
    assert found is not None and found["error"]["class"] == "Internal"  # type: ignore[index]
    assert found["error"]["message"] == f"something: {type(error).__name__}: {error}"  # type: ignore[index]
    one.obey = lambda request: request.succeed()
    one.ask(seq=2)
    assert one.answer() == {"seq": 2, "ok": {}}
    one.close()


def test_descriptors_that_nobody_took_are_closed() -> None:
    taken: list[int] = []
    one = Connected(lambda request: taken.append(request.fds.pop(0)))
    read, write = os.pipe()
    unused, other = os.pipe()
    one.ask(write, other)
    os.close(write)
    os.close(other)
    assert one.requests[0].fds == []
    os.write(taken[0], b"mine")
    assert os.read(read, 10) == b"mine"
    assert os.read(unused, 10) == b""  # its only writer is closed
    for fd in (read, unused, *taken):
        os.close(fd)
    one.close()


def test_descriptors_are_closed_after_a_refusal_too() -> None:
    one = Connected(Refused("Conflict", "no"))
    read, write = os.pipe()
    one.ask(write)
    os.close(write)
    assert os.read(read, 10) == b""
    os.close(read)
    one.close()


@pytest.mark.parametrize("packet", [b"Jnonsense", b"J", b"M{}", b"\x00"])
def test_a_packet_that_is_no_message_ends_the_connection_without_harm(packet: bytes) -> None:
    one = Connected()
    one.far.send(packet)
    one.turn()
    assert (one.requests, one.closed, one.connection.is_open) == ([], [one.connection], False)
    one.close()


def test_a_daemon_that_goes_away_is_told_once() -> None:
    one = Connected()
    one.far.close()
    one.turn()
    one.connection.close()
    one.connection.send({"event": "late"})
    assert one.closed == [one.connection]
    one.close()


def test_a_daemon_that_does_not_read_is_dropped_instead_of_waited_for() -> None:
    one = Connected()
    for number in range(10_000):
        one.connection.send({"event": "exec_exit", "id": "x" * 1000, "exit_code": number})
        if not one.connection.is_open:
            break
    assert one.closed == [one.connection]
    one.close()


def test_an_answer_to_a_daemon_that_has_gone_is_dropped() -> None:
    one = Connected()
    one.ask()
    one.far.close()
    one.turn()
    one.requests[0].succeed()
    one.requests[0].fail("Internal", "late")
    assert one.closed == [one.connection]
    one.close()
