"""Endpoints of the Engine API that this engine does not have yet: each says so, instead of "page not found"."""

from aiohttp.web_response import StreamResponse

from sampan import errors
from sampan.api.server.call import Call
from sampan.api.server.routing import Handler, Route

_NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)

_MISSING = """
GET /containers/{ref}/top            GET /containers/{ref}/changes       GET /containers/{ref}/export
GET /containers/{ref}/stats          POST /containers/{ref}/update       POST /containers/{ref}/rename
POST /containers/{ref}/pause         POST /containers/{ref}/unpause      GET /containers/{ref}/attach/ws
HEAD /containers/{ref}/archive       GET /containers/{ref}/archive       PUT /containers/{ref}/archive
POST /containers/prune               GET /containers/{ref}/checkpoints   POST /containers/{ref}/checkpoints
POST /build                          POST /build/prune                   POST /build/cancel
POST /images/{ref*}/push             POST /images/prune                  POST /commit
DELETE /networks/{ref}
POST /networks/create                POST /networks/{ref}/connect        POST /networks/{ref}/disconnect
POST /networks/prune                 GET /volumes                        POST /volumes/create
GET /volumes/{ref}                   PUT /volumes/{ref}                  DELETE /volumes/{ref}
POST /volumes/prune                  POST /auth                          GET /system/df
GET /distribution/{ref*}/json        POST /session                       POST /grpc
GET /plugins                         GET /plugins/privileges             POST /plugins/pull
GET /plugins/{ref*}/json             DELETE /plugins/{ref*}              POST /plugins/{ref*}/enable
POST /plugins/{ref*}/disable         POST /plugins/{ref*}/upgrade        POST /plugins/create
POST /plugins/{ref*}/push            POST /plugins/{ref*}/set            POST /swarm/init
POST /swarm/join
"""

_SWARM_ONLY = """
GET /swarm                  POST /swarm/leave            POST /swarm/update          GET /swarm/unlockkey
POST /swarm/unlock          GET /nodes                   GET /nodes/{ref}            DELETE /nodes/{ref}
POST /nodes/{ref}/update    GET /services                POST /services/create       GET /services/{ref}
DELETE /services/{ref}      POST /services/{ref}/update  GET /services/{ref}/logs    GET /tasks
GET /tasks/{ref}            GET /tasks/{ref}/logs        GET /secrets                POST /secrets/create
GET /secrets/{ref}          DELETE /secrets/{ref}        POST /secrets/{ref}/update  GET /configs
POST /configs/create        GET /configs/{ref}           DELETE /configs/{ref}       POST /configs/{ref}/update
"""


def _missing(method: str, pattern: str) -> Handler:
    shown = pattern.replace("{ref*}", "{name}").replace("{ref}", "{id}")

    async def refuse(call: Call) -> StreamResponse:
        raise errors.Unimplemented(f"{method} {shown} is not available in this version of Sampan")

    return refuse


async def _refuse_swarm(call: Call) -> StreamResponse:
    raise errors.Unavailable(_NO_SWARM)


def _pairs(table: str) -> list[tuple[str, str]]:
    words = table.split()
    return list(zip(words[::2], words[1::2], strict=True))


ROUTES = (
    *(Route(method=method, pattern=path, handler=_missing(method, path)) for method, path in _pairs(_MISSING)),
    *(Route(method=method, pattern=path, handler=_refuse_swarm) for method, path in _pairs(_SWARM_ONLY)),
)
