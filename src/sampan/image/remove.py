"""`docker rmi`: which names go, whether the image goes with them, and who objects.

    a name      the name goes; the image too when it was the last one, unless something uses it
    an id       all names of one repository go with the image; names in several need force
    conflicts   hard: an image built on it, a running container.  soft, for force: other names, a stopped container

Invariants  Layers that other images, or containers, stand on stay.
Errors      Conflict and NotFound in Docker's words.
Spec        moby daemon/images/image_delete.go.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from sampan import errors
from sampan.image.catalog import drop_image, drop_reference
from sampan.image.collaborators import Images
from sampan.image.graph import unneeded_snapshots
from sampan.oci.digest import chain_ids, short
from sampan.oci.reference import Reference, parse_reference
from sampan.storage.metadata import Transaction


@dataclass(frozen=True, slots=True)
class ImageUse:
    """A container, as far as images care."""

    container_id: str
    image_id: str
    is_running: bool


@dataclass(slots=True)
class _Removal:
    """What is to happen: gathered first, then done in one transaction."""

    uses: Collection[ImageUse]
    force: bool
    prune: bool
    untagged: list[tuple[str, Reference]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    records: list[dict[str, str]] = field(default_factory=list)

    def untag(self, image_id: str, reference: Reference) -> None:
        self.untagged.append((image_id, reference))
        self.records.append({"Untagged": reference.familiar})

    def references_of(self, deps: Images, image_id: str) -> list[Reference]:
        gone = {reference for _, reference in self.untagged}
        return [reference for reference in deps.catalog.references_of(image_id) if reference not in gone]


async def remove_image(
    deps: Images, unsafe_ref: str, *, force: bool = False, prune: bool = True, uses: Collection[ImageUse] = ()
) -> list[dict[str, str]]:
    """Remove a name or an image; Docker's list of {"Untagged": name} and {"Deleted": id or chain id}."""
    image = deps.catalog.resolve(unsafe_ref)
    removal = _Removal(uses, force, prune)
    async with deps.collector.exclusive() as is_quiet:
        if _is_id(image.id, unsafe_ref):
            _gather_by_id(deps, removal, image.id)
        else:
            _gather_by_name(deps, removal, image.id, unsafe_ref)
        labels = [deps.catalog.get(image_id) for image_id, _ in removal.untagged]
        deleted = [deps.catalog.get(image_id) for image_id in removal.deleted]
        await _carry_out(deps, removal, is_quiet=is_quiet)
    for untagged in labels:
        deps.notify("untag", untagged)
    for gone in deleted:
        deps.notify("delete", gone)
    if deleted:
        await deps.collector.collect()
    return removal.records


def _gather_by_name(deps: Images, removal: _Removal, image_id: str, unsafe_ref: str) -> None:
    references = deps.catalog.references_of(image_id)
    user = next((use for use in removal.uses if use.image_id == image_id), None)
    reference = parse_reference(unsafe_ref).with_default_tag()
    if not removal.force and _is_single(references) and user is not None:
        raise errors.Conflict(
            f'conflict: unable to remove repository reference "{unsafe_ref}" (must force) - container'
            f" {user.container_id[:12]} is using its referenced image {short(image_id)}"
        )
    if deps.catalog.reference(str(reference)) is None:
        # name@digest where only a tag has that digest: the tags of this repository are what the user means.
        for named in references:
            if named.name == reference.name:
                removal.untag(image_id, named)
    else:
        removal.untag(image_id, reference)
    left = removal.references_of(deps, image_id)
    if not any(other.tag and other.name == reference.name for other in left):
        for other in left:
            if other.digest and other.name == reference.name:
                removal.untag(image_id, other)
    if not removal.references_of(deps, image_id):
        _gather_image(deps, removal, image_id, is_quiet=True)


def _gather_by_id(deps: Images, removal: _Removal, image_id: str) -> None:
    references = deps.catalog.references_of(image_id)
    if _is_single(references):
        _check(deps, removal, image_id, other_names=False)
        for reference in references:
            removal.untag(image_id, reference)
    _gather_image(deps, removal, image_id, is_quiet=False)


def _gather_image(deps: Images, removal: _Removal, image_id: str, *, is_quiet: bool) -> None:
    """The image itself, then the images it was committed from that nobody named."""
    try:
        _check(deps, removal, image_id, other_names=True)
    except errors.Conflict:
        is_used = any(use.image_id == image_id for use in removal.uses)
        # A name was asked for and is gone; an image that stays behind unseen is worth an error, a used one is not.
        if is_quiet and (removal.references_of(deps, image_id) or is_used or deps.catalog.children_of(image_id)):
            return
        raise
    parent = deps.catalog.get(image_id).parent
    for reference in removal.references_of(deps, image_id):
        removal.untag(image_id, reference)
    removal.deleted.append(image_id)
    removal.records.append({"Deleted": image_id})
    # Chain ids of layers that go: known when all images to be deleted are.
    gone = unneeded_snapshots(deps.catalog, deps.snapshotter, without=frozenset(removal.deleted))
    mine = set(chain_ids(deps.catalog.get(image_id).diff_ids))
    told = {record.get("Deleted") for record in removal.records}
    removal.records += [{"Deleted": chain} for chain in gone if chain in mine and chain not in told]
    if removal.prune and parent is not None and parent in deps.catalog and not deps.catalog.references_of(parent):
        forced, removal.force = removal.force, False
        try:
            _gather_image(deps, removal, parent, is_quiet=True)
        except errors.Conflict:
            return
        finally:
            removal.force = forced


def _check(deps: Images, removal: _Removal, image_id: str, *, other_names: bool) -> None:
    """Raise what stands against deleting an image."""
    name = short(image_id)
    if any(child not in removal.deleted for child in deps.catalog.children_of(image_id)):
        raise errors.Conflict(
            f"conflict: unable to delete {name} (cannot be forced) - image has dependent child images"
        )
    uses = [use for use in removal.uses if use.image_id == image_id]
    running = next((use for use in uses if use.is_running), None)
    if running is not None:
        raise errors.Conflict(
            f"conflict: unable to delete {name} (cannot be forced) - image is being used by running container"
            f" {running.container_id[:12]}"
        )
    if removal.force:
        return
    if other_names and removal.references_of(deps, image_id):
        raise errors.Conflict(
            f"conflict: unable to delete {name} (must be forced) - image is referenced in multiple repositories"
        )
    if uses:
        raise errors.Conflict(
            f"conflict: unable to delete {name} (must be forced) - image is being used by stopped container"
            f" {uses[0].container_id[:12]}"
        )


async def _carry_out(deps: Images, removal: _Removal, *, is_quiet: bool) -> None:
    names = [str(reference) for _, reference in removal.untagged]
    # While something is being loaded its layers may be among these: then the collector removes them later.
    snapshots = (
        unneeded_snapshots(deps.catalog, deps.snapshotter, without=frozenset(removal.deleted))
        if removal.deleted and is_quiet
        else []
    )
    with deps.snapshotter.change() as change:
        for key in snapshots:
            change.remove(key)

        def write(tx: Transaction) -> None:
            for name in names:
                drop_reference(tx, name)
            for image_id in removal.deleted:
                drop_image(tx, image_id)
            change.apply(tx)

        await deps.catalog.write(write)


def _is_id(image_id: str, unsafe_ref: str) -> bool:
    return image_id.startswith(unsafe_ref) or image_id.partition(":")[2].startswith(unsafe_ref)


def _is_single(references: list[Reference]) -> bool:
    """At most one tag, and every digest reference of the same repository."""
    if len(references) <= 1:
        return True
    tags = [reference for reference in references if reference.tag]
    repositories = {reference.name for reference in references if reference.digest}
    only = tags[0] if tags else references[0]
    return len(tags) <= 1 and repositories == {only.name}
