"""Containers over HTTP: `/containers/…`, but for execs."""

from aiohttp.web_response import StreamResponse
from msgspec.structs import replace

from sampan import errors
from sampan.api.server.answers import (
    JSON,
    MULTIPLEXED_STREAM,
    RAW_STREAM,
    Answer,
    json_answer,
    no_content,
    open_stream,
    pour,
)
from sampan.api.server.backend import AttachOptions, LogsOptions
from sampan.api.server.call import Call
from sampan.api.server.compat import new_container, shown_container
from sampan.api.server.routing import Route
from sampan.api.server.upgrade import connect
from sampan.api.wire.container import CreateBody
from sampan.api.wire.gojson import encode

_FILTERS = frozenset(
    "ancestor before exited expose health id is-task isolation label label! name network publish since status "
    "volume".split()
)
_CONDITIONS = frozenset({"not-running", "next-exit", "removed"})
# A client that sends more wants to configure the container by its start, which ended with API 1.24.
_START_BODY_LIMIT_BYTES = 7


async def create(call: Call) -> StreamResponse:
    body = await call.json_body(CreateBody)
    wanted, warnings = new_container(
        body, name=call.query.text("name"), platform=call.query.text("platform"), api=call.api
    )
    created = await call.backend.containers.create(wanted)
    return json_answer(replace(created, warnings=[*created.warnings, *warnings]), status=201)


async def list_(call: Call) -> StreamResponse:
    query = call.query
    limit = query.number("limit")
    filters = {name: list(values) for name, values in query.filters(_FILTERS).items()}
    for name in ("since", "before"):
        if query.text(name):
            filters.setdefault(name, []).append(query.text(name))
    found = await call.backend.containers.list_(
        all=query.flag("all"),
        limit=limit if limit is not None and limit > 0 else None,
        size=query.flag("size"),
        filters=filters,
    )
    if call.api < 48:
        found = [replace(summary, image_manifest_descriptor=None) for summary in found]
    return json_answer(found)


async def inspect(call: Call) -> StreamResponse:
    found = await call.backend.containers.inspect(call.ref, size=call.query.flag("size"))
    return json_answer(shown_container(found, api=call.api))


async def start(call: Call) -> StreamResponse:
    length = call.request.content_length
    if (length is None and call.request.can_read_body) or (length or 0) > _START_BODY_LIMIT_BYTES:
        raise errors.InvalidArgument(
            "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"
        )
    await call.backend.containers.start(call.ref)
    return no_content()


async def stop(call: Call) -> StreamResponse:
    await call.backend.containers.stop(call.ref, signal=_stop_signal(call), timeout_s=call.query.number("t"))
    return no_content()


async def restart(call: Call) -> StreamResponse:
    await call.backend.containers.restart(call.ref, signal=_stop_signal(call), timeout_s=call.query.number("t"))
    return no_content()


def _stop_signal(call: Call) -> str:
    return call.query.text("signal") if call.api >= 42 else ""


async def kill(call: Call) -> StreamResponse:
    await call.backend.containers.kill(call.ref, signal=call.query.text("signal"))
    return no_content()


async def remove(call: Call) -> StreamResponse:
    query = call.query
    if query.flag("link"):
        raise errors.Unimplemented("links between containers cannot be removed: this engine has none")
    await call.backend.containers.remove(call.ref, force=query.flag("force"), volumes=query.flag("v"))
    return no_content()


async def resize(call: Call) -> StreamResponse:
    height = call.query.dimension("h", "resize height")
    width = call.query.dimension("w", "resize width")
    await call.backend.containers.resize(call.ref, height=height, width=width)
    return Answer(200)


async def wait(call: Call) -> StreamResponse:
    """The head leaves as soon as the engine watches: a client starts the container only after that."""
    condition = (call.query.text("condition") if call.api >= 30 else "") or "not-running"
    if condition not in _CONDITIONS:
        raise errors.InvalidArgument(f'invalid condition: "{condition}"')
    waiter = await call.backend.containers.begin_wait(call.ref, condition=condition)
    try:
        if call.api < 30:
            return json_answer(await waiter.result())
        stream = await open_stream(call.request, JSON)
        await stream.write(encode(await waiter.result()) + b"\n")
        return stream
    finally:
        waiter.close()


async def logs(call: Call) -> StreamResponse:
    query = call.query
    options = LogsOptions(
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        follow=query.flag("follow"),
        timestamps=query.flag("timestamps"),
        details=query.flag("details"),
        since_ns=query.instant_ns("since") or None,
        until_ns=query.instant_ns("until") or None,
        tail=_tail(query.text("tail")),
    )
    if not (options.stdout or options.stderr):
        raise errors.InvalidArgument("Bad parameters: you must choose at least one stream")
    lines = await call.backend.containers.logs(call.ref, options)
    framed = not lines.tty and call.api >= 42
    return await pour(call.request, MULTIPLEXED_STREAM if framed else RAW_STREAM, lines)


def _tail(text: str) -> int | None:
    """Docker takes whatever is not a number, "all" among it, for all lines."""
    return int(text) if text.isascii() and text.isdigit() else None


async def attach(call: Call) -> StreamResponse:
    query = call.query
    options = AttachOptions(
        stdin=query.flag("stdin"),
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        stream=query.flag("stream"),
        logs=query.flag("logs"),
        detach_keys=query.text("detachKeys"),
    )
    return await connect(call, await call.backend.containers.attach(call.ref, options))


ROUTES = (
    Route(method="GET", pattern="/containers/json", handler=list_),
    Route(method="POST", pattern="/containers/create", handler=create),
    Route(method="GET", pattern="/containers/{ref}/json", handler=inspect),
    Route(method="POST", pattern="/containers/{ref}/start", handler=start),
    Route(method="POST", pattern="/containers/{ref}/stop", handler=stop),
    Route(method="POST", pattern="/containers/{ref}/restart", handler=restart),
    Route(method="POST", pattern="/containers/{ref}/kill", handler=kill),
    Route(method="DELETE", pattern="/containers/{ref}", handler=remove),
    Route(method="POST", pattern="/containers/{ref}/resize", handler=resize),
    Route(method="POST", pattern="/containers/{ref}/wait", handler=wait, ends_with_client=True),
    Route(method="GET", pattern="/containers/{ref}/logs", handler=logs, ends_with_client=True),
    Route(method="POST", pattern="/containers/{ref}/attach", handler=attach),
)
