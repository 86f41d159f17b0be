"""A connection that can be given away: aiohttp's protocol, plus the hijack of attach and exec.

    client ── POST …/attach, Upgrade: tcp ──▶ aiohttp ──▶ handler: validates, then `hijack`
    client ◀── 101 UPGRADED ───────────────── transport
    client ◀══ raw or framed bytes ═════════▶ whoever holds the descriptor (the container's shim)

Invariants  1. Bytes behind a request that may be hijacked never reach the HTTP parser: they wait in `_late` (bounded,
               then the socket is not read), and go with the descriptor, or to the parser when nothing was hijacked.
            2. The descriptor is a duplicate: closing aiohttp's own does not shut the connection down. Reading stops
               before it is made, so a half-close of the client is seen by the new holder.
            3. After `hijack`, aiohttp writes nothing: the answer is `DETACHED`.
Units       Sizes in bytes. The duplicate is non-blocking, as asyncio's sockets are.
Based on    aiohttp 3.14 `web_protocol.RequestHandler`; `tests/unit/api/server/test_hijack.py` tells when it changes.
"""

import asyncio
import os
import re
from typing import Any

from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse

from sampan.api.server.framing import RequestEnd

HIJACKABLE = re.compile(rb"POST (?:/v[0-9.]+)?/(?:containers/[^/ ?]+/attach|exec/[^/ ?]+/start)[? ]")
_LATE_LIMIT_BYTES = 64 * 1024
_LINE_LIMIT_BYTES = 8 * 1024


class Connection(RequestHandler):
    """One client's connection.

    `cancel_on_disconnect` is set by the router for requests whose work ends with their client (streams, waits); a
    start or a removal runs to its end.
    """

    def __init__(self, manager: Any, *, loop: asyncio.AbstractEventLoop, **settings: Any) -> None:
        super().__init__(manager, loop=loop, **settings)
        self.cancel_on_disconnect = False
        self._gate: RequestEnd | None = None
        self._gated_message: object = None
        self._last_payload: Any = None
        self._held = b""
        self._late = bytearray()
        self._ended = False

    def data_received(self, data: bytes) -> None:
        if self._gate is not None:
            self._receive_gated(data)
        elif self._held or (data[:1] == b"P" and self._is_between_requests()):
            self._receive_post(self._held + data)
        else:
            self._feed(data)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        if self._gate is None:
            return super().eof_received()
        self._ended = True
        return True  # the other direction stays open for what the container still has to say

    def connection_lost(self, exc: BaseException | None) -> None:
        task = self._task_handler if self.cancel_on_disconnect else None
        super().connection_lost(exc)
        if task is not None:
            task.cancel()

    async def finish_response(
        self, request: BaseRequest, resp: StreamResponse, start_time: float | None
    ) -> tuple[StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        if self._gate is not None and request._message is self._gated_message and resp is not DETACHED:
            self._release()
        return finished

    async def hijack(self, head: bytes) -> tuple[int, bytes]:
        """Write `head` and give the connection away: a descriptor, and the bytes that the client sent too early."""
        transport = self.transport
        if transport is None:
            raise ConnectionResetError("client went away")
        self.cancel_on_disconnect = False
        transport.pause_reading()
        transport.set_write_buffer_limits(0)
        transport.write(head)
        await self._drain_helper()
        if self.transport is None:
            raise ConnectionResetError("client went away")
        early = bytes(self._late)
        self._late.clear()
        fd = os.dup(transport.get_extra_info("socket").fileno())
        transport.abort()
        return fd, early

    def is_hijackable(self, request: BaseRequest) -> bool:
        """False for a request that came in one piece with an earlier one: what is behind it may be lost."""
        return self._gate is not None and request._message is self._gated_message

    def _is_between_requests(self) -> bool:
        return self._last_payload is None or bool(self._last_payload.is_eof())

    def _feed(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._request_count != before and self._messages:
            self._last_payload = self._messages[-1][1]

    def _receive_post(self, data: bytes) -> None:
        self._held = b""
        if b"\n" not in data and len(data) < _LINE_LIMIT_BYTES:
            self._held = data
        elif HIJACKABLE.match(data):
            self._gate = RequestEnd()
            self._receive_gated(data)
        else:
            self._feed(data)

    def _receive_gated(self, data: bytes) -> None:
        assert self._gate is not None
        taken = self._gate.take(data)
        if taken:
            before = self._request_count
            self._feed(data[:taken])
            if self._request_count != before and self._messages:
                self._gated_message = self._messages[-1][0]
        if taken < len(data):
            self._late += data[taken:]
            if len(self._late) >= _LATE_LIMIT_BYTES and self.transport is not None:
                self.transport.pause_reading()

    def _release(self) -> None:
        """The gated request was answered like any other: what came behind it is the next request."""
        late = bytes(self._late)
        self._late.clear()
        self._gate = self._gated_message = None
        if late:
            self.data_received(late)
        if self._ended:
            self.close()
        elif self.transport is not None and not self.transport.is_reading():
            self.transport.resume_reading()


class _Detached(StreamResponse):
    """The answer of a handler whose connection is no longer ours."""

    async def prepare(self, request: BaseRequest) -> None:
        self._keep_alive = False

    async def write_eof(self, data: bytes = b"") -> None:
        return


DETACHED = _Detached()
