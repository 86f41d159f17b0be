"""TLS in front of the API: half-closes, back pressure and refusals, with OpenSSL as the client."""

import asyncio
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from fakes.api_backend import FakeBackend
from sampan.api.server.app import build_app
from sampan.api.server.tls import TlsFront, server_context

# A key for tests only, self-signed for "localhost", valid for a hundred years.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUNVehXjlUWEkzvpAbQwI9fYvXjBIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTIzMTIyMFoYDzIxMjYxMDI4
MjMxMjIwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS+g8sezeuBFaRVvgd/CoPMIagYjmuTckjVdGegizBx7JZSnTx+DVmz
BI0umQHnAiNax34ENQiLOnC2Br2nd4Iso2kwZzAdBgNVHQ4EFgQUkjPcN/JFa5+P
HzU6MJXS+MeHjnswHwYDVR0jBBgwFoAUkjPcN/JFa5+PHzU6MJXS+MeHjnswDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
RwAwRAIgSANFnJnQTUrCFvcn8/6197lW2MZerFVoyTbOgDqmCPcCIDuPNNZdT0Vw
FOZOShrNrW6uQ3U9FdNjlwEMOHl+NMzw
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/ub9rF5PHhvb3hBo
MORhCVcVfbQXXmSmm8q7TJJL9FGhRANCAAS+g8sezeuBFaRVvgd/CoPMIagYjmuT
ckjVdGegizBx7JZSnTx+DVmzBI0umQHnAiNax34ENQiLOnC2Br2nd4Is
-----END PRIVATE KEY-----
"""

ATTACH = b"POST /containers/c1/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


class TlsClient:
    """TLS over asyncio streams, with a close_notify that does not end the other direction, as in Go's CloseWrite."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    async def connect(self, path: str) -> "TlsClient":
        self._reader, self.writer = await asyncio.open_unix_connection(path)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._fill()
        await self._flush()
        return self

    async def send(self, data: bytes) -> None:
        self._tls.write(data)
        await self._flush()

    async def close_write(self) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        await self._flush()

    async def read(self, until: bytes = b"") -> bytes:
        """Up to and with `until`, or to the end."""
        found = b""
        while not until or until not in found:
            try:
                piece = self._tls.read(65536)
            except ssl.SSLWantReadError:
                await self._fill()
                continue
            except ssl.SSLZeroReturnError:
                break
            found += piece
        return found

    async def _fill(self) -> None:
        await self._flush()
        data = await self._reader.read(65536)
        if not data:
            raise ConnectionResetError("no close_notify")
        self._incoming.write(data)

    async def _flush(self) -> None:
        if pending := self._outgoing.read():
            self.writer.write(pending)
            await self.writer.drain()


Connect = Callable[..., Awaitable[TlsClient]]


@asynccontextmanager
async def tls_serving(*, demands_certificate: bool = False) -> AsyncIterator[tuple[Connect, FakeBackend]]:
    backend = FakeBackend()
    api = build_app(backend)
    with tempfile.TemporaryDirectory() as folder:
        cert_path, key_path = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
        for path, text in ((cert_path, CERTIFICATE), (key_path, KEY)):
            with open(path, "w") as file:
                file.write(text)
        context = server_context(
            cert_path=cert_path, key_path=key_path, ca_path=cert_path if demands_certificate else ""
        )

        async def connect(*, with_certificate: bool = False) -> TlsClient:
            own = ssl.create_default_context(cafile=cert_path)
            if with_certificate:
                own.load_cert_chain(cert_path, key_path)
            client = await TlsClient(own).connect(socket_path)
            opened.append(client)
            return client

        opened: list[TlsClient] = []
        socket_path = os.path.join(folder, "api.sock")
        async with TlsFront(api, context) as front:
            listener = await asyncio.get_running_loop().create_unix_server(front, socket_path)
            try:
                async with asyncio.timeout(20):
                    yield connect, backend
            finally:
                for client in opened:
                    client.writer.close()
                listener.close()
                await api.close(timeout_s=0.1)
                for task in backend.tasks:
                    task.cancel()
                await asyncio.sleep(0.01)


def test_requests_are_served_on_one_connection() -> None:
    async def run() -> None:
        async with tls_serving() as (connect, _):
            client = await connect()
            for _ in range(3):
                await client.send(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
                assert (await client.read(b"OK")).startswith(b"HTTP/1.1 200 OK")

    asyncio.run(run())


def test_the_clients_close_notify_is_a_half_close() -> None:
    async def run() -> None:
        async with tls_serving() as (connect, _):
            client = await connect()
            await client.send(ATTACH + b"early ")
            assert (await client.read(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            await client.send(b"late")
            await client.close_write()
            assert (await client.read()).endswith(b"late<end>")

    asyncio.run(run())


def test_megabytes_pass_both_ways_intact() -> None:
    sent = os.urandom(4 << 20)

    async def run() -> None:
        async with tls_serving() as (connect, _):
            client = await connect()
            await client.send(ATTACH)
            head = await client.read(b"\r\n\r\n")
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(client.read(sent[-64:]))
                await client.send(sent)
            assert (head + reading.result()).partition(b"\r\n\r\n")[2] == sent
            await client.close_write()
            assert await client.read() == b"<end>"

    asyncio.run(run())


def test_a_client_that_goes_away_ends_its_calls() -> None:
    async def run() -> None:
        async with tls_serving() as (connect, backend):
            client = await connect()
            await client.send(b"POST /containers/c1/wait HTTP/1.1\r\nHost: d\r\n\r\n")
            await client.read(b"\r\n\r\n")
            client.writer.close()
            await backend.cancelled.wait()

    asyncio.run(run())


def test_a_client_without_the_demanded_certificate_is_refused() -> None:
    async def run() -> None:
        async with tls_serving(demands_certificate=True) as (connect, _):
            client = await connect(with_certificate=True)
            await client.send(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
            await client.read(b"OK")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                stranger = await connect()
                await stranger.send(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
                await stranger.read(b"OK")

    asyncio.run(run())


def test_what_is_not_tls_is_dropped() -> None:
    async def run() -> None:
        async with tls_serving() as (connect, _):
            client = await connect()
            path = client.writer.get_extra_info("peername")
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
            assert b"HTTP" not in await reader.read()
            writer.close()

    asyncio.run(run())
