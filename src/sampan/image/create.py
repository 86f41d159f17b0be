"""New images out of one tar: `docker import`, and the last step of `docker commit`.

Errors      InvalidArgument: not a tar, or a reference that cannot be a tag. DataLoss, ResourceExhausted.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from sampan import errors
from sampan.base.clock import rfc3339nano
from sampan.base.tasks import run_blocking
from sampan.image.changes import apply_changes
from sampan.image.collaborators import Images
from sampan.image.feed import Feed, read_in_thread
from sampan.image.plan import MEDIA_SUFFIX, PlannedImage
from sampan.image.record import Image
from sampan.image.register import register
from sampan.oci import descriptor as d
from sampan.oci.descriptor import Descriptor, Platform
from sampan.oci.image import History, ImageConfig, RootFS, RunConfig, encode_config
from sampan.oci.manifest import Manifest, encode_manifest
from sampan.oci.platform import host_platform
from sampan.oci.reference import Reference
from sampan.storage.content import ContentStore
from sampan.storage.layer.compression import DETECT_BYTES, Compression, Decoder, detect


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a new layer's line in the history says, and who made it."""

    comment: str = ""
    author: str = ""
    created_by: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True)
class _StoredLayer:
    descriptor: Descriptor
    diff_id: str


async def import_image(
    deps: Images,
    stream: AsyncIterator[bytes],
    *,
    reference: Reference | None = None,
    changes: Sequence[str] = (),
    message: str | None = None,
    platform: Platform | None = None,
) -> Image:
    """An image of one layer: the tar in `stream`, compressed or not."""
    target = platform or host_platform()
    # First of all, so that a wrong change costs no upload.
    run_config = apply_changes(RunConfig(), changes)
    config = ImageConfig(architecture=target.architecture, variant=target.variant, os=target.os, config=run_config)
    step = Step(comment=message or "Imported from -")
    image = await add_layer(deps, stream, config=config, step=step, reference=reference)
    deps.notify("import", image)
    return image


async def add_layer(
    deps: Images,
    stream: AsyncIterator[bytes],
    *,
    config: ImageConfig,
    step: Step,
    base: Image | None = None,
    reference: Reference | None = None,
) -> Image:
    """An image with the layers of `base` and one more; `config` gives all but layers, history and dates."""
    if reference is not None and reference.digest:
        raise errors.InvalidArgument("cannot import digest reference")
    names = (reference.with_default_tag(),) if reference is not None else ()
    created = rfc3339nano(deps.clock.now_ns())
    async with deps.collector.operation():
        layer = await read_in_thread(stream, "disk", lambda feed: _store_layer(feed, deps.content))
        complete = _completed(config, step, base, diff_id=layer.diff_id, created=created)
        planned = await run_blocking("disk", _store_image, deps.content, complete, base, layer.descriptor, names)
        return await register(deps, planned)


def _store_layer(feed: Feed, content: ContentStore) -> _StoredLayer:
    """Store a layer as it came, or plain if its compression has no media type. Blocks."""
    head = b""
    while len(head) < DETECT_BYTES and (piece := feed.read()):
        head += piece
    compression = detect(head)
    kept_as = compression if compression in MEDIA_SUFFIX else Compression.NONE
    plain_hash = hashlib.sha256()
    with content.writer("layer") as ingest:
        decoder = Decoder(plain_hash.update if kept_as is compression else ingest.write, compression=compression)
        is_plain = compression is Compression.NONE
        piece = head
        while piece:
            if kept_as is compression:
                ingest.write(piece)
            if not is_plain:
                decoder.write(piece)
            piece = feed.read()
        if not is_plain:
            decoder.close()
        blob = ingest.commit()
    is_stored_plain = kept_as is Compression.NONE
    diff_id = blob.digest if is_stored_plain else f"sha256:{plain_hash.hexdigest()}"
    return _StoredLayer(Descriptor(d.OCI_LAYER + MEDIA_SUFFIX[kept_as], blob.digest, blob.size_bytes), diff_id)


def _completed(config: ImageConfig, step: Step, base: Image | None, *, diff_id: str, created: str) -> ImageConfig:
    """The configuration with its layers, history and dates."""
    line = History(created=created, author=step.author, created_by=step.created_by, comment=step.comment)
    return msgspec.structs.replace(
        config,
        author=step.author,
        comment=step.comment,
        container=step.container,
        created=created,
        history=[*((base.config.history or []) if base else []), line],
        rootfs=RootFS(diff_ids=[*(base.diff_ids if base else []), diff_id]),
    )


def _store_image(
    content: ContentStore, config: ImageConfig, base: Image | None, layer: Descriptor, names: tuple[Reference, ...]
) -> PlannedImage:
    """Store the configuration and a manifest. Blocks."""
    config_blob = content.put(encode_config(config), ref="image config")
    config_descriptor = Descriptor(d.OCI_CONFIG, config_blob.digest, config_blob.size_bytes)
    layers = (*(base.manifest.layers if base else ()), layer)
    manifest_blob = content.put(encode_manifest(config_descriptor, layers), ref="manifest")
    return PlannedImage(
        id=config_blob.digest,
        config=config,
        manifest=Manifest(schema_version=2, config=config_descriptor, layers=layers, media_type=d.OCI_MANIFEST),
        manifest_digest=manifest_blob.digest,
        target_digest=manifest_blob.digest,
        names=names,
        parent=base.id if base else None,
    )
