"""The API server: aiohttp's protocol server with our connections, router and error map.

    api = build_app(backend)
    listener = await asyncio.get_running_loop().create_unix_server(api, path)
    ...
    listener.close(); await api.close(timeout_s=1)

One function, `_serve`, stands where middlewares would: version, route, handler, errors.
"""

import asyncio
import logging

from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse
from aiohttp.web_server import Server

from sampan import errors
from sampan.api.server import absent, containers, execs, images, networks, system
from sampan.api.server.answers import Answer, message_answer
from sampan.api.server.backend import Backend
from sampan.api.server.call import Call
from sampan.api.server.errors import error_answer, status_of
from sampan.api.server.hijack import Connection
from sampan.api.server.query import Query
from sampan.api.server.routing import Router, split_version

_log = logging.getLogger("sampan.api")

_LINE_LIMIT_BYTES = 256 * 1024  # filters with hundreds of names travel in the request line


class Api(Server):
    """A protocol factory for `loop.create_server` and its kin."""

    def __init__(self, backend: Backend, router: Router) -> None:
        super().__init__(
            self._serve,
            access_log=None,
            logger=_log,
            auto_decompress=False,
            max_line_size=_LINE_LIMIT_BYTES,
            max_field_size=_LINE_LIMIT_BYTES,
            keepalive_timeout=3600,
        )
        self._backend = backend
        self._router = router

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)

    async def close(self, *, timeout_s: float) -> None:
        """Give calls in progress `timeout_s`, then cancel them and close their connections."""
        self.pre_shutdown()
        await self.shutdown(timeout_s)

    async def _serve(self, request: BaseRequest) -> StreamResponse:
        try:
            return await self._dispatch(request)
        except errors.Error as error:
            if status_of(error) == 500:
                _log.warning("%s %s: %s", request.method, request.raw_path, error)
            return self._refuse(request, error_answer(error))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:
            _log.exception("%s %s failed", request.method, request.raw_path)
            return self._refuse(request, message_answer(500, str(error) or type(error).__name__))

    async def _dispatch(self, request: BaseRequest) -> StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if request.method == "OPTIONS":
            return Answer(200)
        api, path = split_version(path)
        route, parameters = self._router.find(request.method, path, api=api)
        call = Call(request, self._backend, parameters=parameters, query=Query(query), api=api)
        if not route.ends_with_client:
            return await route.handler(call)
        call.connection.cancel_on_disconnect = True
        try:
            return await route.handler(call)
        finally:
            call.connection.cancel_on_disconnect = False

    def _refuse(self, request: BaseRequest, answer: Answer) -> StreamResponse:
        """The answer to a failed call; when a stream has begun, the only thing left to say is to break it off."""
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer had begun")
        return answer


def build_app(backend: Backend) -> Api:
    """The server; to be called in the running loop."""
    routes = (*system.ROUTES, *containers.ROUTES, *execs.ROUTES, *images.ROUTES, *networks.ROUTES, *absent.ROUTES)
    return Api(backend, Router(routes))
