"""Which blobs and snapshots the images need, and the removal of all others.

Invariants  1. What an image's row, a reference, or a snapshot that is not committed leads to stays.
            2. When a manifest cannot be read, nothing is removed: better garbage than a hole.
"""

import logging
from collections.abc import Iterable

from sampan import errors
from sampan.base.tasks import run_blocking
from sampan.image.catalog import Catalog
from sampan.image.gc import reachable
from sampan.oci.digest import chain_ids
from sampan.oci.manifest import Manifest, parse_manifest, references_of
from sampan.storage.content import ContentStore
from sampan.storage.metadata import Database
from sampan.storage.snapshot.contract import Kind, Snapshotter

_log = logging.getLogger("sampan.image")

# A blob, and whether it is a manifest or an index, which leads to others.
_Node = tuple[str, bool]


def closure(content: ContentStore, targets: Iterable[str]) -> set[str]:
    """The digests of all stored blobs that manifests and indexes lead to, these included. Blocks."""

    def refs(node: _Node) -> list[_Node]:
        digest, is_manifest = node
        if not is_manifest:
            return []
        parsed = parse_manifest(content.read(digest))
        leads_on = not isinstance(parsed, Manifest)
        # An index may name manifests of other platforms that were never fetched.
        return [(found.digest, leads_on) for found in references_of(parsed) if content.has(found.digest)]

    return {digest for digest, _ in reachable([(target, True) for target in targets], refs)}


def targets(catalog: Catalog) -> set[str]:
    """Where everything that has to be kept begins."""
    found = {reference.target for reference in catalog.references()}
    for row in catalog.rows():
        found |= {row.manifest, row.target}
    return found


def unneeded_snapshots(
    catalog: Catalog, snapshotter: Snapshotter, *, without: frozenset[str] = frozenset()
) -> list[str]:
    """Committed snapshots that would serve nobody if the images `without` were gone; children before parents."""
    snapshots = {snapshot.key: snapshot for snapshot in snapshotter.snapshots()}
    roots = [key for key, snapshot in snapshots.items() if snapshot.kind is not Kind.COMMITTED]
    for row in catalog.rows():
        if row.id not in without:
            roots += chain_ids(catalog.get(row.id).diff_ids)[-1:]

    def refs(key: str) -> list[str]:
        parent = snapshots[key].parent if key in snapshots else None
        return [parent] if parent is not None else []

    needed = reachable(roots, refs)
    rest = [key for key, snapshot in snapshots.items() if key not in needed]
    return sorted(rest, key=lambda key: -len(reachable([key], refs)))


async def sweep(content: ContentStore, snapshotter: Snapshotter, catalog: Catalog, database: Database) -> None:
    """Remove every blob and committed snapshot that nothing needs; only while no operation runs."""
    try:
        needed = await run_blocking("disk", closure, content, targets(catalog))
        snapshots = unneeded_snapshots(catalog, snapshotter)
    except errors.Error as error:
        _log.error("nothing is collected, because an image is damaged: %s", error)
        return
    if snapshots:
        with snapshotter.change() as change:
            for key in snapshots:
                change.remove(key)
            await database.write(change.apply)
    await run_blocking("disk", _delete_others, content, needed)


def _delete_others(content: ContentStore, needed: set[str]) -> None:
    for blob in content.list():
        if blob.digest not in needed:
            content.delete(blob.digest)
