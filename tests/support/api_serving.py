"""A running API server on a unix socket, and the raw client that its tests speak through."""

import asyncio
import json
import logging
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote

from fakes.api_backend import FakeBackend
from sampan.api.server.app import build_app

Body = Callable[["Client", FakeBackend], Awaitable[None]]


class Answered:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Client:
    """One connection; `ask` writes a request and reads its whole answer."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def connect(self) -> "Client":
        self.reader, self.writer = await asyncio.open_unix_connection(self.path)
        return self

    async def again(self) -> "Client":
        return await Client(self.path).connect()

    @property
    def socket(self) -> socket.socket:
        found: socket.socket = self.writer.get_extra_info("socket")
        return found

    def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: d"]
        if body and "Content_Type" not in headers:
            headers["Content_Type"] = "application/json"
        if body or method == "POST":
            headers["Content_Length"] = str(len(body))
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, value in headers.items()}

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        piece = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return piece

    async def answer(self, method: str = "GET") -> Answered:
        status, headers = await self.head()
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while piece := await self.chunk():
                body += piece
        elif method != "HEAD":
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answered(status, headers, body)

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answered:
        self.send(method, target, body, **headers)
        return await self.answer(method)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Client, FakeBackend]]:
    backend = FakeBackend()
    api = build_app(backend)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "api.sock")
        listener = await asyncio.get_running_loop().create_unix_server(api, path)
        client = await Client(path).connect()
        try:
            async with asyncio.timeout(60):
                yield client, backend
        finally:
            client.writer.close()
            listener.close()
            await api.close(timeout_s=0.1)
            for task in backend.tasks:
                task.cancel()
            for sock in backend.sockets:
                sock.close()
            await asyncio.sleep(0)


def serve(body: Body, *, logged: str = "") -> None:
    """Run `body(client, backend)` against a server, which may log no errors but the one that begins so."""

    async def run() -> None:
        async with serving() as (client, backend):
            await body(client, backend)

    noise: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = noise.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        asyncio.run(run(), debug=False)
    finally:
        logging.getLogger().removeHandler(handler)
    messages = [record.getMessage() for record in noise]
    assert [message[: len(logged)] for message in messages] == ([logged] if logged else [])


def filters(**wanted: object) -> str:
    """The query parameter."""
    return "filters=" + quote(json.dumps(wanted))


def check_answer(method: str, target: str, body: bytes, *, status: int, part: str) -> None:
    """The endpoint answers with `part` in the body, with the headers of every answer, and the connection lives on."""

    async def check(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask(method, target, body)
        assert (answer.status, part in answer.body.decode()) == (status, True), answer.body
        assert answer.headers["api-version"] == "1.51"
        assert answer.headers["ostype"] == "linux"
        assert answer.headers["server"].startswith("Sampan/")
        assert ("content-length" in answer.headers) is (status != 204 and "transfer-encoding" not in answer.headers)
        assert (await client.ask("GET", "/_ping")).status == 200

    serve(check)


def check_refusal(method: str, target: str, body: bytes, *, status: int, message: str) -> None:
    """The endpoint refuses with exactly this message, and the connection lives on."""

    async def check(client: Client, backend: FakeBackend) -> None:
        answer = await client.ask(method, target, body)
        assert (answer.status, json.loads(answer.body)) == (status, {"message": message})
        assert answer.headers["content-type"] == "application/json"
        assert (await client.ask("GET", "/_ping")).status == 200

    serve(check)
