"""Image archives as they arrive: every file of a tar stream becomes a blob, whatever it means.

Invariants  1. A member called blobs/<algorithm>/<hex> has that digest, or the archive is refused.
            2. Names are only keys of a mapping: nothing in the archive reaches the file system under its own name.
Units       Sizes in bytes.
Errors      InvalidArgument: no tar, or one of absurd shape. DataLoss: a blob that is not what its name says.
"""

import posixpath
from dataclasses import dataclass, field

from sampan import errors
from sampan.image.decompress import Decompressed, Source
from sampan.oci.digest import LENGTHS, is_digest
from sampan.storage.content import Blob, ContentStore
from sampan.storage.layer.tarformat import HARD_LINK, REGULAR, SYMLINK
from sampan.storage.layer.tarreader import TarReader

_MEMBERS_LIMIT = 100_000
_LINKS_LIMIT = 40
# Metadata members are parsed as a whole; manifests of thousands of layers stay far below this.
_METADATA_LIMIT_BYTES = 16 << 20


@dataclass(slots=True)
class Archive:
    """The files of an archive by their cleaned names."""

    content: ContentStore
    files: dict[str, Blob] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def find(self, unsafe_name: str) -> Blob | None:
        """The file of this name, through symbolic and hard links."""
        name = clean(unsafe_name)
        for _ in range(_LINKS_LIMIT):
            if name in self.files or name not in self.links:
                break
            name = self.links[name]
        return self.files.get(name)

    def require(self, unsafe_name: str) -> Blob:
        found = self.find(unsafe_name)
        if found is None:
            raise errors.InvalidArgument(f"open {unsafe_name}: no such file or directory")
        return found

    def read(self, unsafe_name: str) -> bytes:
        """A metadata member's bytes."""
        blob = self.require(unsafe_name)
        if blob.size_bytes > _METADATA_LIMIT_BYTES:
            raise errors.InvalidArgument(f"{unsafe_name}: {blob.size_bytes} bytes are too many")
        return self.content.read(blob.digest)

    def blob(self, digest: str) -> Blob | None:
        """A blob by its digest: of the archive, or one that the store already has."""
        algorithm, _, hexadecimal = digest.partition(":")
        found = self.files.get(f"blobs/{algorithm}/{hexadecimal}")
        if found is None and is_digest(digest) and self.content.has(digest):
            return self.content.info(digest)
        return found


def clean(unsafe_name: str) -> str:
    """A member's name relative to the archive's root, without detours."""
    return posixpath.normpath("/" + unsafe_name).lstrip("/")


def read_archive(source: Source, content: ContentStore) -> Archive:
    """Store every file of the archive, compressed as a whole or not. Blocks."""
    plain = Decompressed(source)
    reader = TarReader(plain.readinto)
    archive = Archive(content)
    while (entry := reader.next()) is not None:
        name = clean(entry.name.decode("utf-8", "surrogateescape"))
        if len(archive.files) + len(archive.links) >= _MEMBERS_LIMIT:
            raise errors.InvalidArgument(f"the archive has more than {_MEMBERS_LIMIT} members")
        if entry.kind == REGULAR:
            archive.files[name] = _store(reader, name, content)
        elif entry.kind == SYMLINK:
            target = entry.linkname.decode("utf-8", "surrogateescape")
            archive.links[name] = clean(posixpath.join(posixpath.dirname(name), target))
        elif entry.kind == HARD_LINK:
            archive.links[name] = clean(entry.linkname.decode("utf-8", "surrogateescape"))
    # To the last byte: a checksum at the end of the compressed stream counts, and the sender is not cut off.
    reader.drain()
    return archive


def _store(reader: TarReader, name: str, content: ContentStore) -> Blob:
    expected = _digest_in(name)
    algorithm = expected.partition(":")[0] if expected else "sha256"
    with content.writer(name, algorithm=algorithm) as ingest:
        while piece := reader.chunk():
            ingest.write(piece)
        return ingest.commit(expected_digest=expected)


def _digest_in(name: str) -> str | None:
    parts = name.split("/")
    if len(parts) != 3 or parts[0] != "blobs" or parts[1] not in LENGTHS:
        return None
    digest = f"{parts[1]}:{parts[2]}"
    return digest if is_digest(digest) else None
