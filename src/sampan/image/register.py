"""From stored blobs to an image: layers unpacked, rows written, in one transaction.

Invariants  1. The image's row, its names and its snapshots appear together or not at all.
            2. A name that another image had moves; that image stays, dangling if it has no other.
"""

from sampan import errors
from sampan.image.catalog import put_image, put_reference
from sampan.image.collaborators import Images
from sampan.image.plan import PlannedImage
from sampan.image.record import Image, ImageRow, ReferenceRow
from sampan.oci.descriptor import is_layer
from sampan.storage.metadata import Transaction


async def register(deps: Images, planned: PlannedImage) -> Image:
    """Unpack what is missing and write the image down; call it within an operation of the collector."""
    check(deps, planned)
    diff_ids = planned.config.diff_ids
    now_ns = deps.clock.now_ns()
    parent = planned.parent if planned.parent and planned.parent in deps.catalog else None
    row = ImageRow(planned.id, planned.manifest_digest, planned.target_digest, parent)
    names = [ReferenceRow(str(name), planned.id, planned.target_digest) for name in planned.names if name.tag]
    async with deps.unpacker.layers(diff_ids, planned.manifest.layers) as pending:
        with deps.snapshotter.change() as change:
            pending.commit(change)

            def write(tx: Transaction) -> None:
                change.apply(tx)
                put_image(tx, row)
                for name in names:
                    put_reference(tx, name, now_ns=now_ns)

            await deps.catalog.write(write)
    return deps.catalog.get(planned.id)


def check(deps: Images, planned: PlannedImage) -> None:
    """Refuse what cannot become an image, before any work."""
    layers = planned.manifest.layers
    diff_ids = planned.config.diff_ids
    if len(layers) != len(diff_ids):
        expected, found = len(diff_ids), len(layers)
        raise errors.InvalidArgument(f"invalid manifest, layers length mismatch: expected {expected}, got {found}")
    for layer in layers:
        if not is_layer(layer.media_type):
            raise errors.InvalidArgument(f"{planned.manifest_digest} is no image: it has a {layer.media_type}")
        if not deps.content.has(layer.digest):
            raise errors.InvalidArgument(f"content {layer.digest}: not found")
