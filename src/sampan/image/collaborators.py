"""What every verb on images works with."""

from dataclasses import dataclass

from sampan.base.clock import Clock
from sampan.image.catalog import Catalog
from sampan.image.gc import Collector
from sampan.image.record import EventSink, Image, ImageEvent
from sampan.image.unpack import Unpacker
from sampan.storage.content import ContentStore
from sampan.storage.snapshot.contract import Snapshotter


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    content: ContentStore
    snapshotter: Snapshotter
    catalog: Catalog
    collector: Collector
    unpacker: Unpacker
    events: EventSink
    clock: Clock

    def notify(self, action: str, image: Image, *, name: str = "") -> None:
        """Publish an event; without a name the image is called by its id, as Docker does."""
        self.events(ImageEvent(action, image.id, name or image.id, dict(image.config.labels)))
