import socket
import threading

import pytest

from sampan.client import http, transport
from sampan.errors import Internal, Unavailable


def pair() -> tuple[transport.Connection, socket.socket]:
    ours, theirs = socket.socketpair()
    return transport.Connection(ours), theirs


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def test_a_response_is_read_and_the_connection_free_again() -> None:
    connection, peer = pair()
    connection.send(b"GET / HTTP/1.1\r\n\r\n", None)
    assert not connection.is_idle
    peer.sendall(HEAD + b"hello")
    assert connection.read_response("GET").read() == b"hello"
    assert connection.is_usable()
    peer.close()
    assert not connection.is_usable()
    connection.close()


def test_a_head_may_come_a_byte_at_a_time() -> None:
    connection, peer = pair()

    def dribble() -> None:
        for byte in HEAD + b"hello":
            peer.send(bytes([byte]))

    sender = threading.Thread(target=dribble)
    sender.start()
    assert connection.read_response("GET").read() == b"hello"
    sender.join()
    peer.close()
    connection.close()


def test_interim_responses_are_passed_over() -> None:
    connection, peer = pair()
    peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"hello")
    assert connection.read_response("GET").read() == b"hello"
    peer.close()
    connection.close()


def test_an_upload_goes_out_in_chunks() -> None:
    connection, peer = pair()
    connection.send(b"head\r\n\r\n", iter([b"ab", b"", b"c"]))
    assert peer.recv(100) == b"head\r\n\r\n" + b"2\r\nab\r\n" + b"1\r\nc\r\n" + b"0\r\n\r\n"
    peer.close()
    connection.close()


def test_an_answer_that_comes_before_the_upload_ends_is_the_one_that_is_seen() -> None:
    connection, peer = pair()
    peer.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno")
    peer.shutdown(socket.SHUT_RD)
    connection.send(b"head", iter([b"x" * 100] * 1000))
    response = connection.read_response("POST")
    assert (response.head.status, response.read(), connection.is_usable()) == (400, b"no", False)
    peer.close()


def test_a_hijacked_connection_gives_the_bytes_that_came_with_the_head() -> None:
    connection, peer = pair()
    peer.sendall(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nearly")
    raw, early = connection.read_response("POST").hijack()
    assert early == b"early"
    raw.sendall(b"x")
    assert peer.recv(10) == b"x"
    raw.close()
    peer.close()


def test_a_peer_that_leaves_without_an_answer_is_unavailable() -> None:
    connection, peer = pair()
    peer.close()
    with pytest.raises(Unavailable, match="EOF"):
        connection.read_response("GET")


def test_a_body_that_ends_early_is_an_error() -> None:
    connection, peer = pair()
    peer.sendall(HEAD + b"hel")
    peer.close()
    with pytest.raises(Internal, match="unexpected EOF"):
        connection.read_response("GET").read()
    connection.close()


def test_a_large_chunked_body_arrives_in_pieces() -> None:
    connection, peer = pair()
    payload = b"0123456789" * 100_000

    def serve() -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(payload), 70_000):
            peer.sendall(http.encode_chunk(payload[at : at + 70_000]))
        peer.sendall(http.encode_chunk(b""))

    sender = threading.Thread(target=serve)
    sender.start()
    pieces = list(connection.read_response("GET").pieces())
    sender.join()
    assert b"".join(pieces) == payload
    assert max(map(len, pieces)) <= transport.READ_BYTES
    peer.close()
    connection.close()
