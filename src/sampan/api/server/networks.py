"""Networks over HTTP: list and inspect."""

from aiohttp.web_response import StreamResponse

from sampan.api.server.answers import json_answer
from sampan.api.server.call import Call
from sampan.api.server.routing import Route

_FILTERS = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})


async def list_(call: Call) -> StreamResponse:
    filters = call.query.filters(_FILTERS)
    return json_answer(await call.backend.networks.list_(filters=filters))


async def inspect(call: Call) -> StreamResponse:
    return json_answer(await call.backend.networks.inspect(call.ref))


ROUTES = (
    Route(method="GET", pattern="/networks", handler=list_),
    Route(method="GET", pattern="/networks/{ref}", handler=inspect),
)
