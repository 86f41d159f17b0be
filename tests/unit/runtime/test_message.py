import os
import socket

import pytest

from sampan.runtime import message


@pytest.fixture
def pair() -> "tuple[socket.socket, socket.socket]":
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def test_a_message_arrives_whole_with_its_descriptors(pair: "tuple[socket.socket, socket.socket]") -> None:
    here, there = pair
    with here, there:
        read_fd, write_fd = os.pipe()
        message.send(here, {"do": "x", "text": "ü\n"}, [write_fd])
        os.close(write_fd)
        found = message.receive(there)
        assert found is not None and found[0] == {"do": "x", "text": "ü\n"}
        os.write(found[1][0], b"through")
        os.close(found[1][0])
        assert os.read(read_fd, 100) == b"through"
        os.close(read_fd)


def test_a_message_too_long_for_a_packet_travels_in_memory(pair: "tuple[socket.socket, socket.socket]") -> None:
    here, there = pair
    with here, there:
        long = "x" * 1_000_000
        null = os.open("/dev/null", os.O_RDONLY)
        message.send(here, {"text": long}, [null])
        found = message.receive(there)
        assert found is not None and found[0] == {"text": long} and len(found[1]) == 1
        os.close(found[1][0])
        os.close(null)


def test_the_end_is_none(pair: "tuple[socket.socket, socket.socket]") -> None:
    here, there = pair
    with there:
        here.close()
        assert message.receive(there) is None


def test_received_descriptors_are_close_on_exec(pair: "tuple[socket.socket, socket.socket]") -> None:
    here, there = pair
    with here, there:
        message.send(here, {}, [0])
        found = message.receive(there)
        assert found is not None and not os.get_inheritable(found[1][0])
        os.close(found[1][0])
