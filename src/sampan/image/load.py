"""`docker load`: images out of one archive, with Docker's messages.

Errors      InvalidArgument, DataLoss; whatever was loaded before the failure stays, as with Docker, and no blob or
            snapshot of the image that failed does.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from sampan import errors
from sampan.base.tasks import run_blocking
from sampan.image.archive import Archive, read_archive
from sampan.image.collaborators import Images
from sampan.image.feed import Feed, read_in_thread
from sampan.image.plan import PlannedImage, plan
from sampan.image.register import register
from sampan.oci.descriptor import Platform
from sampan.oci.digest import hex_of

Progress = dict[str, Any]
_END = None
_BACKLOG = 64


async def load(
    deps: Images, stream: AsyncIterator[bytes], *, quiet: bool = False, platform: Platform | None = None
) -> AsyncIterator[Progress]:
    """Progress messages as the work goes on. Iterate and close it in one aio task."""
    messages: asyncio.Queue[Progress | None] = asyncio.Queue(_BACKLOG)
    failure: list[errors.Error] = []

    async def work() -> None:
        try:
            await _load(deps, stream, messages, quiet, platform)
        except errors.Error as error:
            failure.append(error)
        finally:
            await messages.put(_END)

    async with asyncio.TaskGroup() as group:
        working = group.create_task(work())
        is_closed = False
        while not is_closed and (message := await messages.get()) is not _END:
            try:
                yield message
            except GeneratorExit:
                # Inside a TaskGroup this would come out wrapped, and the caller's `aclose` would fail.
                is_closed = True
        if is_closed:
            working.cancel()
    if failure and not is_closed:
        raise failure[0]


async def _load(
    deps: Images,
    stream: AsyncIterator[bytes],
    messages: "asyncio.Queue[Progress | None]",
    quiet: bool,
    platform: Platform | None,
) -> None:
    async with deps.collector.operation():

        def read(feed: Feed) -> Archive:
            return read_archive(feed, deps.content)

        archive = await read_in_thread(stream, "disk", read)
        for planned in await run_blocking("disk", lambda: plan(archive, platform=platform)):
            if not quiet:
                for message in _layer_messages(planned):
                    await messages.put(message)
            for message in await _load_one(deps, planned):
                await messages.put(message)
    # What the archive held besides images (index.json, signatures...) is garbage now.
    await deps.collector.collect()


async def _load_one(deps: Images, planned: PlannedImage) -> list[Progress]:
    said = []
    for name in planned.names:
        old = deps.catalog.find(name)
        if old is not None and old != planned.id:
            said.append(f"The image {name.familiar} already exists, renaming the old one with ID {old} to empty string")
    image = await register(deps, planned)
    deps.notify("load", image)
    said += [f"Loaded image: {name.familiar}" for name in planned.names if name.tag]
    if not planned.names:
        said.append(f"Loaded image ID: {image.id}")
    return [{"stream": f"{line}\n"} for line in said]


def _layer_messages(planned: PlannedImage) -> list[Progress]:
    return [
        {
            "status": "Loading layer",
            "progressDetail": {"current": layer.size, "total": layer.size},
            "progress": f"[{'=' * 50}>]  {layer.size}B/{layer.size}B",
            "id": hex_of(diff_id)[:12],
        }
        for layer, diff_id in zip(planned.manifest.layers, planned.config.diff_ids, strict=False)
    ]
