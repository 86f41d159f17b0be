"""Images over HTTP. Archives are streamed both ways; nothing of them is kept in memory."""

from collections.abc import Mapping

import msgspec
from aiohttp.web_response import StreamResponse

from sampan import errors
from sampan.api.server.answers import JSON, Answer, iterating, json_answer, open_stream, pour
from sampan.api.server.call import Call
from sampan.api.server.compat import listed_image, shown_image
from sampan.api.server.query import flag_filter
from sampan.api.server.routing import Route
from sampan.api.wire.gojson import encode
from sampan.oci.descriptor import Platform
from sampan.oci.platform import format_platform, matches

_FILTERS = frozenset({"before", "dangling", "label", "label!", "reference", "since", "until"})
_TAR = "application/x-tar"


async def list_(call: Call) -> StreamResponse:
    filters = {name: list(values) for name, values in call.query.filters(_FILTERS).items()}
    flag_filter(filters, "dangling")
    if call.api < 41 and call.query.text("filter"):
        filters.setdefault("reference", []).append(call.query.text("filter"))
    found = await call.backend.images.list_(all=call.query.flag("all"), filters=filters)
    return json_answer([listed_image(summary, api=call.api) for summary in found])


async def inspect(call: Call) -> StreamResponse:
    found = await call.backend.images.inspect(call.ref)
    if call.api >= 49 and (wanted := _wanted_platform(call)) is not None:
        offered = Platform(architecture=found.architecture, os=found.os, variant=found.variant)
        if not matches(wanted, offered):
            raise errors.NotFound(
                f"image with reference {call.ref} was found but its platform ({format_platform(offered)}) "
                f"does not match the specified platform ({format_platform(wanted)})"
            )
    return json_answer(shown_image(found, api=call.api))


def _wanted_platform(call: Call) -> Platform | None:
    _one_platform(call)
    text = call.query.text("platform")
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Platform)
    except msgspec.DecodeError as cause:
        raise errors.InvalidArgument(f"failed to parse platform: {cause}") from cause


async def history(call: Call) -> StreamResponse:
    return json_answer(await call.backend.images.history(call.ref))


async def tag(call: Call) -> StreamResponse:
    repository = call.query.text("repo")
    if not repository:
        raise errors.InvalidArgument("invalid reference format: repository name must not be empty")
    await call.backend.images.tag(call.ref, repository=repository, tag=call.query.text("tag"))
    return Answer(201)


async def remove(call: Call) -> StreamResponse:
    if not call.ref.strip():
        raise errors.InvalidArgument("image name cannot be blank")
    removed = await call.backend.images.remove(
        call.ref, force=call.query.flag("force"), prune=not call.query.flag("noprune")
    )
    return json_answer(removed)


async def create(call: Call) -> StreamResponse:
    """`POST /images/create`: import the body as a new image. Pulling is another engine's work as yet."""
    query = call.query
    if query.text("fromImage"):
        raise errors.Unimplemented(
            f"pull of {query.text('fromImage')} is not available in this version: import or load the image instead"
        )
    source = query.text("fromSrc")
    if source != "-":
        raise errors.Unimplemented(
            "import from a URL is not available in this version: send the archive in the request (fromSrc=-)"
        )
    image_id = await call.backend.images.import_(
        call.archive(),
        repository=query.text("repo"),
        tag=query.text("tag"),
        message=query.text("message") or f"Imported from {source}",
        changes=query.texts("changes"),
        platform=query.text("platform") if call.api >= 32 else "",
    )
    return Answer(200, _progress({"status": image_id}), content_type=JSON)


async def load(call: Call) -> StreamResponse:
    """Errors come in the stream, as Docker's do: clients read them there."""
    _one_platform(call)
    progress = call.backend.images.load(call.archive(), quiet=call.query.flag("quiet", default=True))
    stream = await open_stream(call.request, JSON)
    try:
        async with iterating(progress) as messages:
            async for message in messages:
                await stream.write(_progress(message))
    except errors.Error as error:
        await stream.write(_progress({"errorDetail": {"message": str(error)}, "error": str(error)}))
    return stream


async def save_one(call: Call) -> StreamResponse:
    return await _save(call, [call.ref])


async def save_all(call: Call) -> StreamResponse:
    return await _save(call, call.query.texts("names"))


async def _save(call: Call, refs: list[str]) -> StreamResponse:
    _one_platform(call)
    return await pour(call.request, _TAR, await call.backend.images.save(refs))


async def search(call: Call) -> StreamResponse:
    raise errors.Unimplemented("search is not available in this version: it needs a registry")


def _one_platform(call: Call) -> None:
    if call.api >= 48 and len(call.query.texts("platform")) > 1:
        raise errors.InvalidArgument("multiple platform parameters not supported")


def _progress(message: Mapping[str, object]) -> bytes:
    return encode(message) + b"\r\n"


ROUTES = (
    Route(method="GET", pattern="/images/json", handler=list_),
    Route(method="GET", pattern="/images/search", handler=search),
    Route(method="GET", pattern="/images/get", handler=save_all, ends_with_client=True),
    Route(method="GET", pattern="/images/{ref*}/get", handler=save_one, ends_with_client=True),
    Route(method="GET", pattern="/images/{ref*}/json", handler=inspect),
    Route(method="GET", pattern="/images/{ref*}/history", handler=history),
    Route(method="POST", pattern="/images/load", handler=load, ends_with_client=True),
    Route(method="POST", pattern="/images/create", handler=create, ends_with_client=True),
    Route(method="POST", pattern="/images/{ref*}/tag", handler=tag),
    Route(method="DELETE", pattern="/images/{ref*}", handler=remove),
)
