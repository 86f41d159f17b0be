"""`docker images` and `docker history`.

Errors      InvalidArgument, NotFound in Docker's words.
Spec        moby daemon/images/images.go and image_history.go; Go's path.Match for reference patterns.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sampan import errors
from sampan.base.clock import parse_timestamp
from sampan.image.collaborators import Images
from sampan.image.record import Image
from sampan.oci.image import layer_history
from sampan.oci.reference import parse_reference

_TRUE = frozenset({"1", "true", "True"})
_FALSE = frozenset({"0", "false", "False"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilters:
    """As the API takes them; an empty list means no such filter."""

    reference: list[str] = field(default_factory=list)
    dangling: list[str] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    since: list[str] = field(default_factory=list)
    until: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """A step of an image's making; `id` is `<missing>` where no image of its own is known."""

    id: str
    created_ns: int
    created_by: str
    comment: str
    size_bytes: int
    tags: tuple[str, ...]


def list_images(deps: Images, *, all: bool = False, filters: ListFilters | None = None) -> list[Image]:
    """Newest first. With a reference filter an image has only the names that match."""
    filters = filters or ListFilters()
    accepts = _acceptance(deps, filters)
    found = []
    for image in deps.catalog.images():
        if not all and image.is_dangling and deps.catalog.children_of(image.id):
            continue
        if filters.reference:
            image = _matching_names(image, filters.reference)
            if not image.repo_tags and not image.repo_digests:
                continue
        if accepts(image):
            found.append(image)
    return sorted(found, key=lambda image: (-image.created_ns, image.id))


def history_of(deps: Images, unsafe_ref: str) -> list[HistoryLine]:
    """Newest step first."""
    image = deps.catalog.resolve(unsafe_ref)
    owner: Image | None = image
    lines = []
    for step, layer in reversed(layer_history(image.config)):
        lines.append(
            HistoryLine(
                id=owner.id if owner else "<missing>",
                created_ns=_instant(step.created),
                created_by=step.created_by,
                comment=step.comment,
                size_bytes=image.layer_sizes[layer] if layer is not None else 0,
                tags=owner.repo_tags if owner else (),
            )
        )
        owner = deps.catalog.get(owner.parent) if owner and owner.parent and owner.parent in deps.catalog else None
    return lines


def _acceptance(deps: Images, filters: ListFilters) -> Callable[[Image], bool]:
    dangling = _flag(filters.dangling)
    before = min((deps.catalog.resolve(ref).created_ns for ref in filters.before), default=None)
    since = max((deps.catalog.resolve(ref).created_ns for ref in filters.since), default=None)
    until = min((_until(text) for text in filters.until), default=None)

    def accepts(image: Image) -> bool:
        return (
            (dangling is None or image.is_dangling is dangling)
            and (before is None or image.created_ns < before)
            and (since is None or image.created_ns > since)
            and (until is None or image.created_ns < until)
            and all(_has_label(image, wanted) for wanted in filters.label)
        )

    return accepts


def _flag(values: list[str]) -> bool | None:
    for value in values:
        if value not in _TRUE | _FALSE:
            raise errors.InvalidArgument(f"invalid filter 'dangling={value}'")
    return values[0] in _TRUE if values else None


def _until(text: str) -> int:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise errors.InvalidArgument(str(error)) from error


def _has_label(image: Image, wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    labels = image.config.labels
    return name in labels and (not equals or labels[name] == value)


def _matching_names(image: Image, patterns: list[str]) -> Image:
    compiled = [_go_pattern(pattern) for pattern in patterns]

    def matches(name: str) -> bool:
        familiar_name = parse_reference(name).familiar_name
        return any(pattern.fullmatch(name) or pattern.fullmatch(familiar_name) for pattern in compiled)

    return replace(
        image,
        repo_tags=tuple(name for name in image.repo_tags if matches(name)),
        repo_digests=tuple(name for name in image.repo_digests if matches(name)),
    )


def _go_pattern(pattern: str) -> re.Pattern[str]:
    """A Go path.Match pattern: `*` and `?` stop at a slash; classes are as in regular expressions."""
    parts, rest = [], pattern
    while rest:
        taken = re.match(r"\\(.)|(\*)|(\?)|(\[\^?(?:\\.|[^\]\\])+\])|([^\\*?\[])", rest, re.DOTALL)
        if taken is None:
            raise errors.InvalidArgument(f"invalid filter 'reference={pattern}': syntax error in pattern")
        escaped, star, question, group, plain = taken.groups()
        parts.append("[^/]*" if star else "[^/]" if question else group or re.escape(escaped or plain))
        rest = rest[taken.end() :]
    try:
        return re.compile("".join(parts))
    except re.error as error:
        raise errors.InvalidArgument(f"invalid filter 'reference={pattern}': syntax error in pattern") from error


def _instant(created: str | None) -> int:
    try:
        return parse_timestamp(created) if created else 0
    except ValueError:
        return 0
