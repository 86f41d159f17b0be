"""Hijacked connections: nothing is lost, nothing is added, and half-closes pass, on real sockets."""

import asyncio
import os
import socket

import pytest

from fakes.api_backend import FakeBackend
from support.api_serving import Client, serve

ATTACH = "/v1.51/containers/c1/attach?stream=1&stdin=1&stdout=1"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}


@pytest.mark.parametrize("upgrade", [UPGRADE, {}])
def test_bytes_sent_together_with_the_head_reach_the_session(upgrade: dict[str, str]) -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        client.send("POST", ATTACH, **upgrade)
        client.writer.write(b"GET / HTTP/1.1\r\n\r\nnot a request\x00")
        await client.head()
        client.writer.write(b" and more")
        client.writer.write_eof()
        assert await client.reader.read() == b"GET / HTTP/1.1\r\n\r\nnot a request\x00 and more<end>"

    serve(body)


def test_one_write_holding_head_body_and_input_is_taken_apart() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        request = (
            b"POST /v1.51/exec/c1/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 16\r\n\r\n"
            b'{"Detach":false}early'
        )
        client.writer.write(request)
        await client.head()
        client.writer.write_eof()
        assert await client.reader.read() == b"early<end>"

    serve(body)


def test_a_chunked_body_is_taken_apart_too() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        client.writer.write(
            b"POST /exec/c1/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            b'd\r\n{"Tty": true}\r\n0\r\n\r\nearly'
        )
        status, headers = await client.head()
        assert (status, headers["content-type"]) == (101, "application/vnd.docker.raw-stream")
        client.writer.write_eof()
        assert await client.reader.read() == b"early<end>"

    serve(body)


def test_a_request_that_arrives_byte_by_byte_is_hijacked_all_the_same() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        request = b"POST /containers/c1/attach HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\nxyz"
        for at in range(len(request)):
            client.writer.write(request[at : at + 1])
            await asyncio.sleep(0.0005)
        await client.head()
        client.writer.write_eof()
        assert await client.reader.read() == b"xyz<end>"

    serve(body)


def test_a_large_early_input_is_neither_lost_nor_held_in_memory() -> None:
    sent = os.urandom(1 << 20) * 8

    async def body(client: Client, backend: FakeBackend) -> None:
        client.send("POST", ATTACH, **UPGRADE)
        client.writer.write(sent)
        client.writer.write_eof()
        await client.head()
        assert await client.reader.read() == sent + b"<end>"
        assert len(backend.initial) < 1 << 20

    serve(body)


def test_an_input_that_ended_before_the_answer_still_gets_its_output() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        client.send("POST", ATTACH, **UPGRADE)
        client.writer.write(b"all")
        client.writer.write_eof()
        await client.head()
        assert await client.reader.read() == b"all<end>"

    serve(body)


def test_the_container_may_end_its_output_before_the_client_ends_its_input() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        backend.echo = False
        client.send("POST", ATTACH, **UPGRADE)
        await client.head()
        await backend.connected.wait()
        session = backend.sockets[0]
        session.setblocking(True)
        session.send(b"last words")
        session.shutdown(socket.SHUT_WR)
        assert await client.reader.read() == b"last words"
        client.writer.write(b"still talking")
        await client.writer.drain()
        assert await asyncio.to_thread(session.recv, 100) == b"still talking"

    serve(body)


def test_a_connection_that_served_other_requests_can_be_hijacked() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        for _ in range(3):
            assert (await client.ask("GET", "/_ping")).body == b"OK"
            assert (await client.ask("POST", "/containers/c1/start")).status == 204
        client.send("POST", ATTACH, **UPGRADE)
        assert (await client.head())[0] == 101
        client.writer.write_eof()
        assert await client.reader.read() == b"<end>"

    serve(body)


def test_a_request_right_behind_a_refused_hijack_is_served() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        client.send("POST", "/containers/nope/attach", **UPGRADE)
        client.send("GET", "/_ping")
        assert (await client.answer()).status == 404
        assert (await client.answer()).body == b"OK"

    serve(body)


def test_a_detached_exec_answers_like_any_request() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask("POST", "/exec/c1/start", b'{"Detach": true}')
        assert (answer.status, answer.body) == (200, b"")
        assert (await client.ask("GET", "/_ping")).status == 200

    serve(body)


def test_two_hundred_hijacks_leave_no_descriptor_behind() -> None:
    async def body(client: Client, backend: FakeBackend) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(200):
            one = await client.again()
            one.send("POST", ATTACH, **UPGRADE)
            await one.head()
            one.writer.write_eof()
            await one.reader.read()
            one.writer.close()
            await one.writer.wait_closed()
        while len(os.listdir("/proc/self/fd")) > before + 2:
            await asyncio.sleep(0.001)  # the server notices the ends a little later; serve() limits the patience

    serve(body)
