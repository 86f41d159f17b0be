"""`docker tag`.

Errors      InvalidArgument and NotFound in Docker's words.
"""

from sampan import errors
from sampan.image.catalog import put_reference
from sampan.image.collaborators import Images
from sampan.image.record import ReferenceRow
from sampan.oci.digest import LENGTHS
from sampan.oci.reference import Reference, parse_reference


def parse_target(repository: str, tag: str) -> Reference:
    """The reference that a repository and a tag, as the API takes them, make."""
    reference = parse_reference(repository)
    if reference.digest:
        raise errors.InvalidArgument("refusing to create a tag with a digest reference")
    if tag:
        reference = reference.with_tag(tag)
    return reference.with_default_tag()


async def tag_image(deps: Images, unsafe_ref: str, target: Reference) -> None:
    """Give an image one more name."""
    if target.digest:
        raise errors.InvalidArgument("refusing to create a tag with a digest reference")
    if target.familiar_name in LENGTHS:
        raise errors.InvalidArgument("refusing to create an ambiguous tag using digest algorithm as name")
    image = deps.catalog.resolve(unsafe_ref)
    row = ReferenceRow(str(target.with_default_tag()), image.id, image.target_digest)
    now_ns = deps.clock.now_ns()
    async with deps.collector.exclusive():
        await deps.catalog.write(lambda tx: put_reference(tx, row, now_ns=now_ns))
    deps.notify("tag", deps.catalog.get(image.id), name=target.with_default_tag().familiar)
