"""New images out of one tar: `docker import`, and the last step of `docker commit`.

Errors      InvalidArgument: not a tar, or a reference that cannot be a tag. DataLoss, ResourceExhausted.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from sampan import errors
from sampan.base.clock import rfc3339nano
from sampan.base.tasks import finish, run_blocking
from sampan.image.changes import apply_changes
from sampan.image.collaborators import Images
from sampan.image.decompress import Decompressed, Source
from sampan.image.feed import read_in_thread
from sampan.image.plan import PlannedImage, layer_descriptor
from sampan.image.record import Image
from sampan.image.register import register
from sampan.oci import descriptor as d
from sampan.oci.descriptor import Descriptor, Platform
from sampan.oci.image import History, ImageConfig, RootFS, RunConfig, encode_config
from sampan.oci.manifest import Manifest, encode_manifest, parse_manifest
from sampan.oci.platform import host_platform
from sampan.oci.reference import Reference
from sampan.storage.content import Blob, ContentStore
from sampan.storage.layer.compression import Compression

_STORED_AS_THEY_ARE = frozenset({Compression.NONE, Compression.GZIP, Compression.ZSTD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a new layer's line in the history says, and who made it."""

    comment: str = ""
    author: str = ""
    created_by: str = ""
    container: str = ""


async def import_image(
    deps: Images,
    stream: AsyncIterator[bytes],
    *,
    reference: Reference | None = None,
    changes: list[str] | None = None,
    message: str | None = None,
    platform: Platform | None = None,
) -> Image:
    """An image of one layer: the tar in `stream`, compressed or not."""
    target = platform or host_platform()
    config = ImageConfig(architecture=target.architecture, variant=target.variant, os=target.os, config=RunConfig())
    # First of all, so that a wrong change costs no upload.
    apply_changes(config, changes or [])
    step = Step(comment=message or "Imported from -")
    return await add_layer(deps, stream, config=config, step=step, reference=reference, event="import")


async def add_layer(
    deps: Images,
    stream: AsyncIterator[bytes],
    *,
    config: ImageConfig,
    step: Step,
    base: Image | None = None,
    reference: Reference | None = None,
    event: str = "",
) -> Image:
    """An image whose layers are those of `base` and one more; `config` gives all but layers, history and dates."""
    if reference is not None and reference.digest:
        raise errors.InvalidArgument("cannot import digest reference")
    async with deps.collector.operation():
        blob = await read_in_thread(stream, "disk", lambda feed: _store_layer(feed, deps.content))
        layer = layer_descriptor(deps.content, blob.digest)
        # Unpacked before its diff id is known, so the stack of `register` finds it only when it is committed.
        unpacked = await deps.unpacker.layer(layer, None)
        await finish(deps.snapshotter.remove(unpacked.key))
        planned = await run_blocking(
            "disk", lambda: _describe(deps, config, step, base, layer=layer, diff_id=unpacked.diff_id)
        )
        names = (reference.with_default_tag(),) if reference is not None else ()
        image = await register(deps, msgspec_free_replace(planned, names))
    if event:
        deps.notify(event, image)
    return image
