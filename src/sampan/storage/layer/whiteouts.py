"""How a layer says that something below it is gone: names in an archive, inodes in an overlay's upper directory.

Layout      in an archive   `.wh.NAME` hides NAME;  `.wh..wh..opq` hides all that its directory has below
            in overlayfs    NAME is a character device 0:0;  the directory has the attribute trusted.overlay.opaque=y
            `.wh..wh.*` other than opq is AUFS's own book-keeping and means nothing.
Invariants  1. A whiteout hides what lower layers have, never what its own layer brings, in whatever order they come.
            2. No attribute of overlayfs's own enters or leaves through an archive.
Spec        image-spec v1.1, layer.md, "Whiteouts"; Linux Documentation/filesystems/overlayfs.rst.
"""

from stat import S_ISCHR

from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import stat_result

PREFIX = b".wh."
META_PREFIX = b".wh..wh."
OPAQUE = b".wh..wh..opq"

OPAQUE_XATTR = b"trusted.overlay.opaque"
OVERLAY_XATTR_PREFIXES = (b"trusted.overlay.", b"user.overlay.")


def hidden_name(base: bytes) -> bytes:
    """The name that the whiteout `base` hides."""
    name = base[len(PREFIX) :]
    if name in (b"", b".", b".."):
        raise InvalidArgument(f'invalid whiteout name "{base.decode()}"')
    return name


def is_whiteout(status: "stat_result") -> bool:
    return S_ISCHR(status.st_mode) and status.st_rdev == 0
