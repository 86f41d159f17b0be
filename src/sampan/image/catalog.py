"""Which images there are and what they are called.

Invariants  1. Memory mirrors the two tables: it is read again after every write, whatever became of the write.
            2. Every image's configuration, manifest and target are in the content store, and its layers are committed
               snapshots, before its row exists.
Errors      NotFound in Docker's words; InvalidArgument for a malformed reference.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from sampan import errors
from sampan.image.record import SCHEMA, Image, ImageRow, ReferenceRow
from sampan.oci.digest import chain_ids, is_digest
from sampan.oci.image import ImageConfig, parse_config
from sampan.oci.manifest import Index, Manifest, parse_manifest
from sampan.oci.reference import Reference, parse_reference
from sampan.storage.content import ContentStore
from sampan.storage.metadata import Database, Transaction
from sampan.storage.snapshot.contract import Snapshotter

T = TypeVar("T")

_log = logging.getLogger("sampan.image")
_HEX_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What never changes of an image."""

    config: ImageConfig
    config_bytes: bytes
    manifest: Manifest


class Catalog:
    def __init__(self, content: ContentStore, snapshotter: Snapshotter, database: Database) -> None:
        self._content = content
        self._snapshotter = snapshotter
        self._database = database
        self._parsed: dict[str, _Parsed] = {}
        self._built: dict[str, Image] = {}
        self._rows: dict[str, ImageRow] = {}
        self._names: dict[str, ReferenceRow] = {}
        self._names_of: dict[str, list[str]] = {}

    def open(self) -> None:
        self._database.migrate("images", SCHEMA)
        self._reload()

    # Lookups

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._rows

    def rows(self) -> list[ImageRow]:
        return list(self._rows.values())

    def references(self) -> list[ReferenceRow]:
        return list(self._names.values())

    def references_of(self, image_id: str) -> list[Reference]:
        """An image's references, in the order in which Docker lists them."""
        return [parse_reference(name) for name in self._names_of.get(image_id, ())]

    def children_of(self, image_id: str) -> list[str]:
        return [row.id for row in self._rows.values() if row.parent == image_id]

    def get(self, image_id: str) -> Image:
        """The image of a full id."""
        image = self._built.get(image_id)
        if image is None:
            row = self._rows.get(image_id)
            if row is None:
                raise errors.NotFound(f"No such image: {image_id}")
            image = self._built[image_id] = self._build(row)
        return image

    def images(self) -> Iterator[Image]:
        """All images but those whose stored bytes are damaged."""
        for image_id in list(self._rows):
            try:
                yield self.get(image_id)
            except (errors.DataLoss, errors.NotFound) as error:
                _log.error("image %s is damaged: %s", image_id, error)

    def resolve(self, unsafe_text: str) -> Image:
        """The image of a name, name:tag, name@digest, id or unambiguous beginning of an id."""
        if is_digest(unsafe_text) or (len(unsafe_text) == 64 and _HEX_DIGITS.issuperset(unsafe_text)):
            digest = unsafe_text if ":" in unsafe_text else f"sha256:{unsafe_text}"
            return self._by_digest(digest)
        reference = parse_reference(unsafe_text)
        image_id = self.find(reference) or self.search(unsafe_text)
        if image_id is None:
            raise errors.NotFound(f"No such image: {reference.with_default_tag().familiar}")
        return self.get(image_id)

    def find(self, reference: Reference) -> str | None:
        """The id of the image that a reference names."""
        if not reference.digest:
            row = self._names.get(str(reference.with_default_tag()))
            return row.image if row else None
        for row in self._names.values():
            named = parse_reference(row.name)
            if named.name == reference.name and reference.digest in (row.target, self._rows[row.image].manifest):
                return row.image
        return None

    def named(self, repository: str) -> list[ReferenceRow]:
        """The references of a repository (its full name), sorted."""
        found = [row for row in self._names.values() if parse_reference(row.name).name == repository]
        return sorted(found, key=lambda row: row.name)

    def reference(self, name: str) -> ReferenceRow | None:
        return self._names.get(name)

    def search(self, beginning: str) -> str | None:
        """The only image whose id begins so, with or without its algorithm; None when none or several do."""
        wanted = beginning if beginning.startswith("sha256:") else f"sha256:{beginning}"
        found = [image_id for image_id in self._rows if image_id.startswith(wanted)]
        return found[0] if len(found) == 1 and beginning not in ("", "sha256:") else None

    def _by_digest(self, digest: str) -> Image:
        if digest in self._rows:
            return self.get(digest)
        for row in self._rows.values():
            if digest in (row.manifest, row.target):
                return self.get(row.id)
        raise errors.NotFound(f"No such image: {digest}")

    # Changes

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        """A transaction that may use the functions below."""
        try:
            return await self._database.write(fn)
        except asyncio.CancelledError:
            # It may still happen; whatever the writer is at is done before it does this.
            self._database.write_blocking(lambda tx: None)
            raise
        finally:
            self._reload()

    def _reload(self) -> None:
        rows, names = self._database.read(_read_tables)
        self._rows = {row.id: row for row in rows}
        self._names = {row.name: row for row in names}
        self._names_of = {}
        for row in names:
            self._names_of.setdefault(row.image, []).append(row.name)
        self._built.clear()
        self._parsed = {image_id: parsed for image_id, parsed in self._parsed.items() if image_id in self._rows}

    def _build(self, row: ImageRow) -> Image:
        parsed = self._parsed.get(row.id)
        if parsed is None:
            parsed = self._parsed[row.id] = self._parse(row)
        names = [self._names[name] for name in self._names_of.get(row.id, ())]
        references = [(parse_reference(name.name), name.target) for name in names]
        digests = dict.fromkeys(f"{reference.familiar_name}@{target}" for reference, target in references)
        return Image(
            id=row.id,
            config=parsed.config,
            config_bytes=parsed.config_bytes,
            manifest=parsed.manifest,
            manifest_digest=row.manifest,
            target_digest=row.target,
            parent=row.parent,
            tagged_ns=row.tagged_ns,
            repo_tags=tuple(reference.familiar for reference, _ in references if reference.tag),
            repo_digests=tuple(digests),
            layer_sizes=tuple(self._size(chain_id) for chain_id in chain_ids(parsed.config.diff_ids)),
        )

    def _parse(self, row: ImageRow) -> _Parsed:
        manifest = parse_manifest(self._content.read(row.manifest))
        if isinstance(manifest, Index):
            raise errors.DataLoss(f"manifest {row.manifest} of image {row.id} is an index")
        config_bytes = self._content.read(row.id)
        return _Parsed(parse_config(config_bytes), config_bytes, manifest)

    def _size(self, chain_id: str) -> int:
        usage = self._snapshotter.stat(chain_id).usage
        return usage.size_bytes if usage else 0


def put_image(tx: Transaction, row: ImageRow) -> None:
    """Insert an image, or leave the one that is there but for its manifest and a parent now known."""
    tx.execute(
        "INSERT INTO images (id, manifest, target, parent, tagged_ns) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO"
        " UPDATE SET manifest = excluded.manifest, target = excluded.target, parent = ifnull(excluded.parent, parent)",
        (row.id, row.manifest, row.target, row.parent, row.tagged_ns),
    )


def put_reference(tx: Transaction, row: ReferenceRow, *, now_ns: int) -> None:
    """Point a name at an image; another image that had it loses it."""
    tx.execute("INSERT OR REPLACE INTO image_references VALUES (?, ?, ?)", (row.name, row.image, row.target))
    tx.execute("UPDATE images SET tagged_ns = ? WHERE id = ?", (now_ns, row.image))


def drop_reference(tx: Transaction, name: str) -> None:
    tx.execute("DELETE FROM image_references WHERE name = ?", (name,))


def drop_image(tx: Transaction, image_id: str) -> None:
    tx.execute("DELETE FROM image_references WHERE image = ?", (image_id,))
    tx.execute("DELETE FROM images WHERE id = ?", (image_id,))
    tx.execute("UPDATE images SET parent = NULL WHERE parent = ?", (image_id,))


def _read_tables(tx: Transaction) -> tuple[list[ImageRow], list[ReferenceRow]]:
    rows = [ImageRow(*row) for row in tx.execute("SELECT id, manifest, target, parent, tagged_ns FROM images")]
    names = tx.execute("SELECT name, image, target FROM image_references ORDER BY name")
    return rows, [ReferenceRow(*row) for row in names]
