"""Ping, version, info and events over HTTP."""

from aiohttp.web_response import StreamResponse

from sampan import errors
from sampan.api.server.answers import JSON, Answer, iterating, json_answer, open_stream
from sampan.api.server.call import Call
from sampan.api.server.compat import shown_info
from sampan.api.server.routing import Route
from sampan.api.wire.gojson import encode

_PING_HEADERS = (
    "Builder-Version: 2\r\nCache-Control: no-cache, no-store, must-revalidate\r\nPragma: no-cache\r\n"
    "Swarm: inactive\r\n"
)
_TEXT = "text/plain; charset=utf-8"


async def ping(call: Call) -> StreamResponse:
    body = b"" if call.request.method == "HEAD" else b"OK"
    return Answer(200, body, content_type=_TEXT, extra_headers=_PING_HEADERS)


async def version(call: Call) -> StreamResponse:
    return json_answer(await call.backend.system.version())


async def info(call: Call) -> StreamResponse:
    return json_answer(shown_info(await call.backend.system.info(), api=call.api))


async def events(call: Call) -> StreamResponse:
    """Docker ignores filters that it does not know here, unlike elsewhere."""
    query = call.query
    since_ns, until_ns = query.instant_ns("since"), query.instant_ns("until")
    if since_ns is not None and until_ns is not None and until_ns < since_ns:
        raise errors.InvalidArgument(
            f"`since` time ({query.text('since')}) cannot be after `until` time ({query.text('until')})"
        )
    if since_ns is not None:
        since_ns = max(1, since_ns)  # `since=0` asks for all of the past
    source = call.backend.system.events(since_ns=since_ns, until_ns=until_ns, filters=query.filters(None))
    async with iterating(source) as found:
        stream = await open_stream(call.request, JSON)
        async for event in found:
            await stream.write(encode(event) + b"\n")
    return stream


ROUTES = (
    Route(method="GET", pattern="/_ping", handler=ping),
    Route(method="HEAD", pattern="/_ping", handler=ping),
    Route(method="GET", pattern="/version", handler=version),
    Route(method="GET", pattern="/info", handler=info),
    Route(method="GET", pattern="/events", handler=events, ends_with_client=True),
)
