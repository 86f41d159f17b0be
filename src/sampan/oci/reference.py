"""Image references: what users type, and the one full form in which they are stored.

    busybox                   docker.io/library/busybox:latest
    me/tool:1                 docker.io/me/tool:1
    localhost:5000/a/b@sha256:…   the same

The *familiar* form is the shortest that means the same; it is what Docker prints.
Errors      InvalidArgument, in the words of Docker's reference package.
Spec        github.com/distribution/reference: the grammar above `reference.go`, and `normalize.go`.
Standard library only: hot packages use this module.
"""

import re

from sampan import errors
from sampan.oci.digest import check_digest

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL = "library/"
_PATH_LIMIT = 255

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])"
_PIECE = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(
    rf"(?P<domain>{_HOST}(?::[0-9]+)?)/(?P<path>{_PIECE}(?:/{_PIECE})*)(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_TAG_ALONE = re.compile(_TAG)


class Reference:
    """A parsed, normalised reference; equal when all four parts are."""

    __slots__ = ("digest", "domain", "path", "tag")

    def __init__(self, domain: str, path: str, *, tag: str = "", digest: str = "") -> None:
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest

    @property
    def name(self) -> str:
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        rest = self.path.removeprefix(_OFFICIAL)
        # docker.io/library/a/b is not "a/b", which would be docker.io/a/b.
        return rest if rest != self.path and "/" not in rest else self.path

    @property
    def familiar(self) -> str:
        return self.familiar_name + self._suffix()

    @property
    def is_name_only(self) -> bool:
        return not self.tag and not self.digest

    def with_default_tag(self) -> "Reference":
        return Reference(self.domain, self.path, tag=DEFAULT_TAG) if self.is_name_only else self

    def with_tag(self, tag: str) -> "Reference":
        if not _TAG_ALONE.fullmatch(tag):
            raise errors.InvalidArgument("invalid tag format")
        return Reference(self.domain, self.path, tag=tag)

    def with_digest(self, digest: str) -> "Reference":
        return Reference(self.domain, self.path, digest=check_digest(digest))

    def __str__(self) -> str:
        return self.name + self._suffix()

    def __repr__(self) -> str:
        return f"Reference({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(unsafe_text: str) -> Reference:
    """What `unsafe_text` names; no default tag is added."""
    if _IDENTIFIER.fullmatch(unsafe_text):
        raise errors.InvalidArgument(
            f"invalid repository name ({unsafe_text}), cannot specify 64-byte hexadecimal strings"
        )
    domain, rest = _split_domain(unsafe_text)
    path = rest.partition(":")[0]
    if path.lower() != path:
        raise errors.InvalidArgument(f"invalid reference format: repository name ({path}) must be lowercase")
    found = _REFERENCE.fullmatch(f"{domain}/{rest}")
    if found is None:
        raise errors.InvalidArgument("invalid reference format")
    if len(found["path"]) > _PATH_LIMIT:
        raise errors.InvalidArgument(f"repository name must not be more than {_PATH_LIMIT} characters")
    digest = check_digest(found["digest"]) if found["digest"] else ""
    return Reference(found["domain"], found["path"], tag=found["tag"] or "", digest=digest)


def _split_domain(text: str) -> tuple[str, str]:
    """A first part is a host when it could not be a path: it has a dot, a port or upper case, or is localhost."""
    first, slash, rest = text.partition("/")
    if not slash or (not set(first) & set(".:") and first != "localhost" and first.lower() == first):
        first, rest = DEFAULT_DOMAIN, text
    if first == _LEGACY_DOMAIN:
        first = DEFAULT_DOMAIN
    if first == DEFAULT_DOMAIN and "/" not in rest:
        rest = _OFFICIAL + rest
    return first, rest
