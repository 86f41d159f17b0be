"""The image store: everything the engine asks of images, in one place.

Each method is a verb of its own module; this one builds their collaborators and holds what outlives a call.
Lifetime    `open()`, then `await sweep()` once before the first verb. There is nothing to close.
Invariants  1. An image that is listed can be run: its blobs are stored and its layers unpacked.
            2. A failed or interrupted verb leaves no blob, snapshot or name: at once, or after the sweep at start.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence

from sampan import errors
from sampan.base.clock import Clock, system_clock
from sampan.image import create, graph, listing, naming, remove
from sampan.image import load as loading
from sampan.image import save as saving
from sampan.image.catalog import Catalog
from sampan.image.collaborators import Images
from sampan.image.create import Step
from sampan.image.gc import Collector
from sampan.image.listing import HistoryLine, ListFilters
from sampan.image.record import Image, ImageEvent
from sampan.image.remove import ImageUse
from sampan.image.unpack import KEY_PREFIX, Unpack, Unpacker
from sampan.linux.mount import Mount
from sampan.oci.descriptor import Platform
from sampan.oci.image import ImageConfig
from sampan.oci.reference import Reference
from sampan.storage.content import ContentStore
from sampan.storage.metadata import Database
from sampan.storage.snapshot.contract import SnapshotChange, Snapshotter

__all__ = ["HistoryLine", "Image", "ImageEvent", "ImageStore", "ImageUse", "ListFilters", "Step"]


class ImageStore:
    def __init__(
        self,
        content: ContentStore,
        snapshotter: Snapshotter,
        database: Database,
        *,
        unpack: Unpack,
        events: Callable[[ImageEvent], None] = lambda event: None,
        clock: Clock = system_clock,
    ) -> None:
        catalog = Catalog(content, snapshotter, database)
        self._deps = Images(
            content=content,
            snapshotter=snapshotter,
            catalog=catalog,
            collector=Collector(lambda: graph.sweep(content, snapshotter, catalog, database)),
            unpacker=Unpacker(content, snapshotter, unpack),
            events=events,
            clock=clock,
        )

    def open(self) -> None:
        self._deps.catalog.open()

    async def sweep(self) -> None:
        """Remove what a crash left behind; after the snapshotter's own sweep and before the first verb."""
        self._deps.content.sweep()
        for snapshot in self._deps.snapshotter.snapshots():
            if snapshot.key.startswith(KEY_PREFIX):
                await self._deps.snapshotter.remove(snapshot.key)
        await self._deps.collector.collect()

    # Lookups

    def resolve(self, unsafe_ref: str) -> Image:
        """The image of a name, name:tag, name@digest, id or beginning of an id; NotFound in Docker's words."""
        return self._deps.catalog.resolve(unsafe_ref)

    def get(self, image_id: str) -> Image:
        return self._deps.catalog.get(image_id)

    def list(self, *, all: bool = False, filters: ListFilters | None = None) -> list[Image]:
        return listing.list_images(self._deps, all=all, filters=filters)

    def history(self, unsafe_ref: str) -> "Sequence[HistoryLine]":
        return listing.history_of(self._deps, unsafe_ref)

    # Making and removing

    async def import_(
        self,
        stream: AsyncIterator[bytes],
        *,
        reference: Reference | None = None,
        changes: "Sequence[str]" = (),
        message: str | None = None,
        platform: Platform | None = None,
    ) -> Image:
        return await create.import_image(
            self._deps, stream, reference=reference, changes=changes, message=message, platform=platform
        )

    async def commit(
        self,
        base: Image,
        layer: AsyncIterator[bytes],
        *,
        config: ImageConfig,
        step: Step,
        reference: Reference | None = None,
    ) -> Image:
        """`base` with one more layer, the tar changeset `layer`."""
        return await create.add_layer(self._deps, layer, config=config, step=step, base=base, reference=reference)

    def load(
        self, stream: AsyncIterator[bytes], *, quiet: bool = False, platform: Platform | None = None
    ) -> AsyncIterator[loading.Progress]:
        """Progress messages in the API's form, as the work goes on."""
        return loading.load(self._deps, stream, quiet=quiet, platform=platform)

    def save(self, refs: "Sequence[str]") -> AsyncIterator[bytes]:
        """The archive; NotFound is raised before it is iterated."""
        return saving.archive_of(self._deps, saving.choose(self._deps, refs))

    async def tag(self, unsafe_ref: str, target: Reference) -> None:
        await naming.tag_image(self._deps, unsafe_ref, target)

    async def remove(
        self, unsafe_ref: str, *, force: bool = False, prune: bool = True, uses: Collection[ImageUse] = ()
    ) -> "Sequence[dict[str, str]]":
        return await remove.remove_image(self._deps, unsafe_ref, force=force, prune=prune, uses=uses)

    # Root file systems of containers

    def stage_rootfs(self, image_id: str, key: str, change: SnapshotChange) -> None:
        """Add a container's snapshot to a change that the caller makes durable together with its own rows."""
        change.prepare(key, self.get(image_id).chain_id)

    async def acquire_rootfs(self, image_id: str, key: str) -> None:
        """Make a container's writable snapshot on top of an image."""
        await self._deps.snapshotter.prepare(key, self.get(image_id).chain_id)

    def rootfs(self, key: str) -> "Sequence[Mount]":
        """How to mount it."""
        return self._deps.snapshotter.mounts(key)

    async def release_rootfs(self, key: str) -> None:
        """Remove it; harmless when there is none."""
        try:
            await self._deps.snapshotter.remove(key)
        except errors.NotFound:
            pass
