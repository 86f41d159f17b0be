"""An image as the store shows it, and the rows behind it.

Words       An image's *id* is the digest of its configuration. Its *target* is what a reference resolves to in a
            registry: the digest of its manifest, or of an index that has the manifest in it.
Units       Instants are nanoseconds since 1970 UTC, 0 where unknown; sizes are bytes.
"""

from dataclasses import dataclass
from typing import Protocol

from sampan.base.clock import parse_timestamp
from sampan.oci.digest import chain_ids
from sampan.oci.image import ImageConfig
from sampan.oci.manifest import Manifest

SCHEMA = (
    """
    CREATE TABLE images (
        id TEXT PRIMARY KEY,
        manifest TEXT NOT NULL,
        target TEXT NOT NULL,
        parent TEXT,
        tagged_ns INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE image_references (
        name TEXT PRIMARY KEY,
        image TEXT NOT NULL REFERENCES images (id),
        target TEXT NOT NULL
    );
    CREATE INDEX image_references_image ON image_references (image);
    """,
)


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A row of `images`; `parent` is the image that this one was committed from, if it is known."""

    id: str
    manifest: str
    target: str
    parent: str | None = None
    tagged_ns: int = 0


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A row of `image_references`; `name` is a reference in full form."""

    name: str
    image: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image with everything that listing, inspecting, running and saving it need."""

    id: str
    config: ImageConfig
    config_bytes: bytes
    manifest: Manifest
    manifest_digest: str
    target_digest: str
    parent: str | None
    tagged_ns: int
    repo_tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    layer_sizes: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        return sum(self.layer_sizes)

    @property
    def diff_ids(self) -> list[str]:
        return self.config.diff_ids

    @property
    def chain_id(self) -> str | None:
        """The snapshot that a container of this image stands on; None when the image has no layers."""
        chain = chain_ids(self.diff_ids)
        return chain[-1] if chain else None

    @property
    def created_ns(self) -> int:
        try:
            return parse_timestamp(self.config.created) if self.config.created else 0
        except ValueError:
            return 0

    @property
    def is_dangling(self) -> bool:
        return not self.repo_tags


@dataclass(frozen=True, slots=True)
class ImageEvent:
    """Something that happened to an image; `action` is Docker's word for it, `name` what the user called it."""

    action: str
    id: str
    name: str
    labels: dict[str, str]


class EventSink(Protocol):
    def __call__(self, event: ImageEvent, /) -> None: ...
