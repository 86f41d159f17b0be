import socket

from sampan.runtime.request import AttachStream
from sampan.runtime.shim.client import Client
from sampan.runtime.shim.loop import Loop


class Attached:
    """A client on one end of a socket pair, the test on the other."""

    def __init__(self, **options: object) -> None:
        self.loop = Loop()
        self.far, near = socket.socketpair()
        self.far.settimeout(5)
        self.inputs: list[bytes] = []
        wanted = {"stdin": True, "stdout": True, "stderr": True, "framed": True, **options}
        stream = AttachStream(near.detach(), **wanted)  # type: ignore[arg-type]
        self.client = Client(self.loop, stream, lambda client, piece: self.inputs.append(piece), lambda: None)

    def turn(self) -> None:
        """Let the loop do what is due now."""
        self.loop.after(0, self.loop.stop)
        self.loop._is_running = True
        self.loop.run()

    def close(self) -> None:
        self.client.close()
        self.far.close()


def test_output_is_framed_with_its_stream_and_length() -> None:
    attached = Attached()
    attached.client.send("stdout", b"out")
    attached.client.send("stderr", b"err!")
    assert attached.far.recv(100) == b"\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\4err!"
    attached.close()


def test_raw_output_is_as_it_came() -> None:
    attached = Attached(framed=False)
    attached.client.send("stdout", b"out")
    assert attached.far.recv(100) == b"out"
    attached.close()


def test_what_the_socket_does_not_take_waits_and_arrives_in_order() -> None:
    attached = Attached(framed=False)
    sent = b"".join(bytes([n % 251]) * 4096 for n in range(500))
    for at in range(0, len(sent), 4096):
        attached.client.send("stdout", sent[at : at + 4096])
    assert attached.client.pending_bytes > 0
    got = b""
    while len(got) < len(sent):
        got += attached.far.recv(1 << 16)
        attached.turn()
    assert got == sent and attached.client.pending_bytes == 0
    attached.close()


def test_input_and_its_end_are_passed_on() -> None:
    attached = Attached()
    attached.far.sendall(b"typed")
    attached.far.shutdown(socket.SHUT_WR)
    attached.turn()
    attached.turn()
    assert attached.inputs == [b"typed", b""]
    attached.client.send("stdout", b"still")
    assert attached.far.recv(100).endswith(b"still")
    attached.close()


def test_detach_keys_end_the_attachment_even_when_they_come_apart() -> None:
    attached = Attached(detach_keys=b"\x10\x11")
    attached.client.input(b"a\x10b")
    attached.client.input(b"\x10")
    assert attached.client.is_open
    attached.client.input(b"\x11 lost")
    assert not attached.client.is_open
    assert b"".join(attached.inputs) == b"a\x10b"
    attached.close()


def test_a_client_that_has_gone_is_dropped() -> None:
    attached = Attached()
    attached.far.close()
    attached.client.send("stdout", b"x" * 10)
    attached.turn()
    assert not attached.client.is_open


def test_input_nobody_wants_is_dropped() -> None:
    attached = Attached(stdin=False)
    attached.far.sendall(b"typed")
    attached.turn()
    assert attached.inputs == []
    attached.close()
