import os
import socket
import struct
import threading

import pytest

from sampan.cli.streams import Session, write_all
from sampan.cli.terminal import KeyWatch
from sampan.errors import Internal


def frame(stream: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(payload)) + payload


class Pipes:
    """Stand-ins for stdin, stdout and stderr; what is written is read by threads, so nothing blocks."""

    def __init__(self, typed: bytes = b"") -> None:
        self.stdin_fd, self._typed_fd = os.pipe()
        out_fd, self.stdout_fd = os.pipe()
        err_fd, self.stderr_fd = os.pipe()
        self.seen = {"out": b"", "err": b""}
        self._threads = [
            threading.Thread(target=self._type, args=(typed,)),
            threading.Thread(target=self._collect, args=("out", out_fd)),
            threading.Thread(target=self._collect, args=("err", err_fd)),
        ]
        for thread in self._threads:
            thread.start()

    def _type(self, typed: bytes) -> None:
        write_all(self._typed_fd, [memoryview(typed)])
        os.close(self._typed_fd)

    def _collect(self, name: str, fd: int) -> None:
        while piece := os.read(fd, 65536):
            self.seen[name] += piece
        os.close(fd)

    def close(self) -> dict[str, bytes]:
        os.close(self.stdout_fd)
        os.close(self.stderr_fd)
        for thread in self._threads:
            thread.join()
        os.close(self.stdin_fd)
        return self.seen


def test_frames_go_to_their_descriptors_and_early_bytes_are_not_lost() -> None:
    ours, theirs = socket.socketpair()
    pipes = Pipes()
    wire = frame(1, b"one ") + frame(2, b"bad") + frame(1, b"two")
    theirs.sendall(wire[10:])
    theirs.close()
    Session(ours, wire[:10], tty=False).run(stdin_fd=None, stdout_fd=pipes.stdout_fd, stderr_fd=pipes.stderr_fd)
    assert pipes.close() == {"out": b"one two", "err": b"bad"}
    ours.close()


def test_megabytes_go_both_ways_at_once_and_the_end_of_input_half_closes() -> None:
    ours, theirs = socket.socketpair()
    payload = os.urandom(1 << 20) * 8
    pipes = Pipes(payload)

    def echo() -> None:
        while piece := theirs.recv(50_000):
            theirs.sendall(frame(1, piece))
        theirs.sendall(frame(2, b"end seen"))
        theirs.close()

    echoing = threading.Thread(target=echo)
    echoing.start()
    session = Session(ours, b"", tty=False)
    session.run(stdin_fd=pipes.stdin_fd, stdout_fd=pipes.stdout_fd, stderr_fd=pipes.stderr_fd)
    echoing.join()
    seen = pipes.close()
    assert seen["out"] == payload
    assert seen["err"] == b"end seen"
    ours.close()


def test_a_terminals_stream_is_passed_as_it_is() -> None:
    ours, theirs = socket.socketpair()
    pipes = Pipes()
    theirs.sendall(b"\x01\x00raw")
    theirs.close()
    Session(ours, b"early ", tty=True).run(stdin_fd=None, stdout_fd=pipes.stdout_fd)
    assert pipes.close()["out"] == b"early \x01\x00raw"
    ours.close()


def test_the_detach_keys_end_the_session() -> None:
    ours, theirs = socket.socketpair()
    pipes = Pipes(b"ab\x10\x11cd")
    session = Session(ours, b"", tty=True, keys=KeyWatch(b"\x10\x11"))
    session.run(stdin_fd=pipes.stdin_fd, stdout_fd=pipes.stdout_fd)
    assert (session.detached, theirs.recv(10)) == (True, b"ab")
    pipes.close()
    ours.close()
    theirs.close()


def test_an_error_the_engine_puts_in_the_stream_is_raised() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(frame(3, b"disk is gone"))
    with pytest.raises(Internal, match="disk is gone"):
        Session(ours, b"", tty=False).run(stdin_fd=None)
    ours.close()
    theirs.close()


def test_a_descriptor_that_does_not_block_gets_every_byte() -> None:
    reader_fd, writer_fd = os.pipe()
    os.set_blocking(writer_fd, False)
    payload = os.urandom(1 << 20)
    found = b""

    def collect() -> None:
        nonlocal found
        while piece := os.read(reader_fd, 10_000):
            found += piece

    collecting = threading.Thread(target=collect)
    collecting.start()
    write_all(writer_fd, [memoryview(payload[:5]), memoryview(b""), memoryview(payload[5:])])
    os.close(writer_fd)
    collecting.join()
    os.close(reader_fd)
    assert found == payload
