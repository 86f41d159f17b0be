"""Attach and exec on raw sockets: what a container gets and says when the connection is the client's alone."""

import os
import socket
import threading

import pytest

from conftest import Engine
from support.api import Api, frames

pytestmark = pytest.mark.needs_root

UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


def request(path: str, body: bytes = b"", *, extra: str = UPGRADE) -> bytes:
    head = f"POST /v1.51{path} HTTP/1.1\r\nHost: d\r\n{extra}Content-Length: {len(body)}\r\n"
    return (head + "Content-Type: application/json\r\n\r\n").encode() + body


def connect(engine: Engine) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(engine.socket_path)
    return sock


def read_head(sock: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, head
        head += byte
    return head


def read_all(sock: socket.socket) -> bytes:
    pieces = []
    while piece := sock.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def said(raw: bytes) -> bytes:
    return b"".join(payload for _, payload in frames(raw))


@pytest.fixture
def cat(api: Api, image: str, name: str) -> str:
    """A container that echoes its input, attached to before it starts."""
    return api.create(image, "cat", name=name, OpenStdin=True, StdinOnce=True, AttachStdin=True)


@pytest.mark.needs_sampand  # Docker loses what comes in one piece with the head
def test_input_sent_with_the_head_is_the_containers_and_its_end_ends_it(engine: Engine, api: Api, cat: str) -> None:
    with connect(engine) as sock:
        sock.sendall(request(f"/containers/{cat}/attach?stream=1&stdin=1&stdout=1&stderr=1") + b"early ")
        assert read_head(sock).startswith(b"HTTP/1.1 101 UPGRADED\r\n")
        api.start(cat)
        sock.sendall(b"late")
        sock.shutdown(socket.SHUT_WR)
        assert said(read_all(sock)) == b"early late"
    assert api.wait(cat) == 0


def test_megabytes_that_outrun_the_start_arrive_in_full(engine: Engine, api: Api, cat: str) -> None:
    sent = os.urandom(1 << 20) * 8
    with connect(engine) as sock:
        sock.sendall(request(f"/containers/{cat}/attach?stream=1&stdin=1&stdout=1"))

        def feed() -> None:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)

        feeding = threading.Thread(target=feed)
        feeding.start()
        read_head(sock)
        api.start(cat)
        assert said(read_all(sock)) == sent
        feeding.join()


@pytest.mark.needs_sampand  # Docker loses what comes in one piece with the head
def test_an_exec_reads_to_the_end_of_input_and_answers_after_it(
    engine: Engine, api: Api, image: str, name: str
) -> None:
    container = api.started(image, "sleep", "60", name=name)
    body = {"Cmd": ["sh", "-c", "wc -c; echo bye >&2"], "AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
    exec_id = api("POST", f"/containers/{container}/exec", body)["Id"]
    with connect(engine) as sock:
        sock.sendall(request(f"/exec/{exec_id}/start", b'{"Detach":false}') + b"12345")
        read_head(sock)
        sock.shutdown(socket.SHUT_WR)
        assert [(stream, payload.strip()) for stream, payload in frames(read_all(sock))] == [(1, b"5"), (2, b"bye")]
    assert api("GET", f"/exec/{exec_id}/json")["ExitCode"] == 0


@pytest.mark.needs_sampand  # Docker hijacks before it looks
def test_a_refused_attach_leaves_the_connection_to_other_requests(engine: Engine) -> None:
    with connect(engine) as sock:
        sock.sendall(request("/containers/smph-none/attach?stream=1"))
        assert read_head(sock).startswith(b"HTTP/1.1 404 ")
        sock.recv(1 << 16)
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        assert read_head(sock).startswith(b"HTTP/1.1 200 ")
