"""Names from an archive made into paths below the root: purely by their text.

Invariants  A cleaned path is relative, has no empty, `.` or `..` component, and is b"" for the root itself.
            Where a symbolic link leads is not decided here: whoever uses the path has that root as its own (chroot).
Errors      InvalidArgument in Docker's words.
"""

from sampan.errors import InvalidArgument
from sampan.storage.layer.tarformat import quoted

_SEPARATOR_OR_DOT = b"./"


def clean_name(unsafe_name: bytes) -> bytes:
    """An entry's name as a path; one that leads out of the root is refused."""
    name = unsafe_name[2:] if unsafe_name[:2] == b"./" else unsafe_name
    if b"/." not in name and b"//" not in name and name[:1] not in _SEPARATOR_OR_DOT and name[-1:] != b"/":
        return name
    cleaned = _clean(name)
    if cleaned is None:
        raise InvalidArgument(f"invalid entry name {quoted(unsafe_name)}")
    return cleaned


def clean_hard_link(unsafe_target: bytes) -> bytes:
    cleaned = _clean(unsafe_target)
    if not cleaned:
        raise InvalidArgument(f"invalid hardlink target {quoted(unsafe_target)}")
    return cleaned


def parent_of(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def _clean(name: bytes) -> bytes | None:
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                return None
            parts.pop()
        elif part and part != b".":
            parts.append(part)
    return b"/".join(parts)
