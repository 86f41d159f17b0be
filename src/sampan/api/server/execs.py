"""Execs over HTTP."""

from aiohttp.web_response import StreamResponse
from msgspec.structs import replace

from sampan import errors
from sampan.api.server.answers import Answer, json_answer
from sampan.api.server.call import Call
from sampan.api.server.routing import Route
from sampan.api.server.upgrade import connect
from sampan.api.wire.exec import ExecConfig, ExecCreated, ExecStart


async def create(call: Call) -> StreamResponse:
    config = await call.json_body(ExecConfig, optional=True)
    if not config.cmd:
        raise errors.InvalidArgument("No exec command specified")
    if call.api < 42 or not config.tty:
        config = replace(config, console_size=None)
    return json_answer(ExecCreated(id=await call.backend.execs.create(call.ref, config)), status=201)


async def start(call: Call) -> StreamResponse:
    wanted = await call.json_body(ExecStart, optional=True)
    if wanted.detach:
        await call.backend.execs.start_detached(call.ref)
        return Answer(200)
    console_size = wanted.console_size if wanted.tty and call.api >= 42 else None
    session = await call.backend.execs.start(call.ref, tty=wanted.tty, console_size=console_size)
    return await connect(call, session)


async def inspect(call: Call) -> StreamResponse:
    return json_answer(await call.backend.execs.inspect(call.ref))


async def resize(call: Call) -> StreamResponse:
    height = call.query.dimension("h", "resize height")
    width = call.query.dimension("w", "resize width")
    await call.backend.execs.resize(call.ref, height=height, width=width)
    return Answer(200)


ROUTES = (
    Route(method="POST", pattern="/containers/{ref}/exec", handler=create),
    Route(method="POST", pattern="/exec/{ref}/start", handler=start),
    Route(method="GET", pattern="/exec/{ref}/json", handler=inspect),
    Route(method="POST", pattern="/exec/{ref}/resize", handler=resize),
)
