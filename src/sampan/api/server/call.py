"""One call of the API: a request with its path's parameters, its API version and its query, as handlers see it."""

from collections.abc import AsyncIterator, Mapping
from typing import TypeVar, cast

from aiohttp.http import HttpVersion11
from aiohttp.web_request import BaseRequest

from sampan import errors
from sampan.api.server.backend import Backend
from sampan.api.server.hijack import Connection
from sampan.api.server.query import Query
from sampan.api.wire.gojson import decode

T = TypeVar("T")

# A create body with every field set is some kilobytes; this only keeps a client from filling our memory.
_BODY_LIMIT_BYTES = 16 << 20
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Call:
    """`api` is the minor number of the version in use: 51 for 1.51."""

    __slots__ = ("api", "backend", "parameters", "query", "request")

    def __init__(
        self, request: BaseRequest, backend: Backend, *, parameters: Mapping[str, str], query: Query, api: int
    ) -> None:
        self.request = request
        self.backend = backend
        self.parameters = parameters
        self.query = query
        self.api = api

    @property
    def ref(self) -> str:
        """The object that the path names."""
        return self.parameters["ref"]

    @property
    def connection(self) -> Connection:
        return cast("Connection", self.request.protocol)

    async def json_body(self, shape: type[T], *, optional: bool = False) -> T:
        """The body, typed. A missing body is an error unless `optional`; then it is the zero value."""
        self._check_json_type()
        body = await self._whole_body()
        if not body.strip():
            if optional:
                return shape()
            raise errors.InvalidArgument("invalid JSON: got EOF while reading request body")
        return decode(body, shape)

    async def archive(self) -> AsyncIterator[bytes]:
        """The body piece by piece; the socket is not read while nobody asks for the next piece."""
        self._invite_body()
        async for piece in self.request.content.iter_any():
            yield piece

    def _check_json_type(self) -> None:
        given = self.request.headers.get("Content-Type")
        if given is None:
            if self.request.can_read_body:
                raise errors.InvalidArgument("unsupported Content-Type header (): must be 'application/json'")
            return
        kind = given.split(";")[0].strip().lower()
        if kind != "application/json":
            raise errors.InvalidArgument(f"unsupported Content-Type header ({kind}): must be 'application/json'")

    async def _whole_body(self) -> bytes:
        self._invite_body()
        pieces: list[bytes] = []
        size_bytes = 0
        async for piece in self.request.content.iter_any():
            size_bytes += len(piece)
            if size_bytes > _BODY_LIMIT_BYTES:
                raise errors.InvalidArgument("request body too large")
            pieces.append(piece)
        return b"".join(pieces)

    def _invite_body(self) -> None:
        transport = self.request.transport
        expected = self.request.headers.get("Expect", "").lower() == "100-continue"
        if expected and transport is not None and self.request.version >= HttpVersion11:
            transport.write(_CONTINUE)
