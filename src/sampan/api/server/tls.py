"""TLS in front of the API: each connection is decrypted here and served as a plain one over a socketpair.

    client ══TLS══▶ TlsConnection ◀──socketpair──▶ any plain protocol (the API's Connection)

So a hijacked connection is a plain socket in every case and its descriptor can leave the process. asyncio's own TLS
transport cannot serve here: it closes both directions at the client's close_notify, which the docker command line sends
when its standard input ends, while the container's answer is still to come.

Invariants  1. A close_notify, or an end of the TCP stream, of the client is a half-close of the plain side.
            2. Neither side is read while the other cannot be written.
            3. The plain side's end is sent as close_notify and FIN; what the client still says is read and dropped
               for a while, for a reset would take the last output with it.
Units       Seconds.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from types import TracebackType

from sampan.base.tasks import TaskScope

_log = logging.getLogger("sampan.api.tls")

HANDSHAKE_TIMEOUT_S = 10.0
LINGER_S = 10.0
_READ_BYTES = 256 * 1024

Factory = Callable[[], asyncio.Protocol]


def server_context(*, cert_path: str, key_path: str, ca_path: str = "") -> ssl.SSLContext:
    """TLS 1.2 and newer; with `ca_path`, only clients with a certificate of that authority get in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert_path, key_path)
    if ca_path:
        context.load_verify_locations(ca_path)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class TlsFront:
    """A protocol factory for `loop.create_server`, open within its `async with`."""

    def __init__(self, plain: Factory, context: ssl.SSLContext) -> None:
        self.plain = plain
        self.context = context
        self.tasks = TaskScope("tls")

    async def __aenter__(self) -> "TlsFront":
        await self.tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.tasks.__aexit__(kind, error, trace)

    def __call__(self) -> "TlsConnection":
        return TlsConnection(self)


class TlsConnection(asyncio.Protocol):
    """The client's side."""

    def __init__(self, front: TlsFront) -> None:
        self._front = front
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = front.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._transport: asyncio.Transport
        self._plain: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_shaken = False
        self._client_ended = False
        self._plain_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._limit(HANDSHAKE_TIMEOUT_S)

    def data_received(self, data: bytes) -> None:
        if self._plain_ended:
            return
        self._incoming.write(data)
        try:
            self._advance()
        except ssl.SSLError as error:
            _log.info("TLS connection refused: %s", error.reason or error)
            self._flush()  # the alert that tells the client why
            self._transport.close()

    def eof_received(self) -> bool:
        if not self._is_shaken or self._plain_ended:
            return False
        self._end_input()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._unlimit()
        if self._plain is not None:
            self._plain.abort()

    def pause_writing(self) -> None:
        if self._plain is not None:
            self._plain.pause_reading()

    def resume_writing(self) -> None:
        if self._plain is not None:
            self._plain.resume_reading()

    def plain_connected(self, transport: asyncio.Transport) -> None:
        """The plain side is there: what was decrypted meanwhile goes to it."""
        self._plain = transport
        if self._transport.is_closing():
            transport.abort()
            return
        self._transport.resume_reading()
        self._pump()
        if self._client_ended:
            transport.write_eof()

    def plain_received(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._tls.write(data)
            self._flush()

    def plain_ended(self) -> None:
        self._plain_ended = True
        if self._transport.is_closing():
            return
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # our close_notify is in `_outgoing`; the client's may come or not
        self._flush()
        self._transport.write_eof()
        self._transport.resume_reading()
        self._limit(LINGER_S)

    def plain_lost(self) -> None:
        if not self._plain_ended:
            self.plain_ended()

    def plain_is_full(self, is_full: bool) -> None:
        if is_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _advance(self) -> None:
        if not self._is_shaken:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                return
            self._flush()
            self._is_shaken = True
            self._unlimit()
            self._transport.pause_reading()
            self._front.tasks.spawn(self._connect_plain(), name="tls connection")
        if self._plain is not None:
            self._pump()

    async def _connect_plain(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(self._front.plain, theirs)
        await loop.connect_accepted_socket(lambda: _PlainSide(self), ours)

    def _pump(self) -> None:
        assert self._plain is not None
        try:
            while data := self._tls.read(_READ_BYTES):
                self._plain.write(data)
            self._end_input()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLZeroReturnError:
            self._end_input()

    def _end_input(self) -> None:
        if not self._client_ended:
            self._client_ended = True
            if self._plain is not None and not self._plain.is_closing():
                self._plain.write_eof()

    def _flush(self) -> None:
        if pending := self._outgoing.read():
            self._transport.write(pending)

    def _limit(self, seconds: float) -> None:
        self._unlimit()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def _unlimit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _PlainSide(asyncio.Protocol):
    """Our end of the socketpair."""

    def __init__(self, front: TlsConnection) -> None:
        self._front = front

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._front.plain_connected(transport)

    def data_received(self, data: bytes) -> None:
        self._front.plain_received(data)

    def eof_received(self) -> bool:
        self._front.plain_ended()
        return False  # the holder of the other end is done, and nothing that the client says is heard any more

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.plain_lost()

    def pause_writing(self) -> None:
        self._front.plain_is_full(True)

    def resume_writing(self) -> None:
        self._front.plain_is_full(False)
