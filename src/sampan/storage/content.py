"""Blobs on disk, addressed by digest.

Layout      blobs/<algorithm>/<hex>     complete and immutable;  ingest/<random>  being written
Invariants  1. A blob has the content its name says: verified before the rename that publishes it.
            2. Its bytes are on the disk before its name is, and the name before `commit` returns.
            3. After that rename a commit does not fail; what follows is tidying.
            4. What `sweep` finds in ingest/ belongs to nobody: only call it before the first writer.
Units       Sizes in bytes.
Errors      NotFound, DataLoss (size or digest differs), InvalidArgument (not a digest), ResourceExhausted (disk full).
Spec        image-spec v1.1, descriptor.md, "Digests".
Every method blocks; callers on an event loop use `base.tasks.run_blocking`.
"""

import errno
import hashlib
import os
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO

from sampan import errors
from sampan.base.atomicfile import sync_directory
from sampan.base.failpoints import failpoint
from sampan.oci.digest import LENGTHS, algorithm_of, check_digest, hex_of


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored blob."""

    digest: str
    size_bytes: int


class Ingest:
    """A blob being written; leaving its `with` block without a commit throws it away."""

    def __init__(self, store: "ContentStore", path: str, *, ref: str, algorithm: str) -> None:
        self.ref = ref
        self.size_bytes = 0
        self._store = store
        self._path = path
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)

    def __enter__(self) -> "Ingest":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    @property
    def digest(self) -> str:
        """The digest of what has been written so far."""
        return f"{self._algorithm}:{self._hash.hexdigest()}"

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        view = memoryview(piece)
        self._hash.update(view)
        self.size_bytes += len(view)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise _disk_error(error, self.ref) from error

    def commit(self, expected_size: int | None = None, expected_digest: str | None = None) -> Blob:
        """Verify, make durable and publish; the blob exists afterwards, also when it did before."""
        digest = self.digest
        if expected_size is not None and expected_size != self.size_bytes:
            raise errors.DataLoss(f"{self.ref}: unexpected size {self.size_bytes}, expected {expected_size}")
        if expected_digest is not None and expected_digest != digest:
            raise errors.DataLoss(f"{self.ref}: unexpected digest {digest}, expected {expected_digest}")
        try:
            self._publish(self._store.path(digest))
        except OSError as error:
            raise _disk_error(error, self.ref) from error
        return Blob(digest, self.size_bytes)

    def abort(self) -> None:
        """Throw away what is not committed; harmless otherwise."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass

    def _publish(self, target: str) -> None:
        if not os.path.exists(target):
            os.fsync(self._fd)
            failpoint("content.commit.synced")
            os.rename(self._path, target)
            failpoint("content.commit.renamed")
        sync_directory(os.path.dirname(target))


class ContentStore:
    """Every blob of a data root."""

    def __init__(self, root: str) -> None:
        self._blobs = os.path.join(root, "blobs")
        self._ingest = os.path.join(root, "ingest")
        for folder in (self._ingest, *(os.path.join(self._blobs, algorithm) for algorithm in LENGTHS)):
            os.makedirs(folder, mode=0o700, exist_ok=True)

    def path(self, digest: str) -> str:
        """Where a blob of this digest is, or would be."""
        check_digest(digest)
        return os.path.join(self._blobs, algorithm_of(digest), hex_of(digest))

    def writer(self, ref: str, *, algorithm: str = "sha256") -> Ingest:
        """Begin a blob; `ref` says in error messages what it is."""
        try:
            return Ingest(self, os.path.join(self._ingest, os.urandom(12).hex()), ref=ref, algorithm=algorithm)
        except OSError as error:
            raise _disk_error(error, ref) from error

    def put(self, content: bytes, *, ref: str = "blob") -> Blob:
        """Store a whole small blob."""
        with self.writer(ref) as ingest:
            ingest.write(content)
            return ingest.commit()

    def open(self, digest: str) -> BinaryIO:
        try:
            return open(self.path(digest), "rb", buffering=0)
        except FileNotFoundError as error:
            raise errors.NotFound(f"content {digest}: not found") from error

    def read(self, digest: str) -> bytes:
        """A whole blob, verified: for manifests and configurations."""
        with self.open(digest) as file:
            content = file.read()
        if hashlib.new(algorithm_of(digest), content).hexdigest() != hex_of(digest):
            raise errors.DataLoss(f"content {digest}: the stored bytes have changed")
        return content

    def info(self, digest: str) -> Blob:
        try:
            return Blob(digest, os.stat(self.path(digest)).st_size)
        except FileNotFoundError as error:
            raise errors.NotFound(f"content {digest}: not found") from error

    def has(self, digest: str) -> bool:
        return os.path.exists(self.path(digest))

    def delete(self, digest: str) -> bool:
        """Remove a blob; False when there was none."""
        try:
            os.unlink(self.path(digest))
        except FileNotFoundError:
            return False
        return True

    def list(self) -> list[Blob]:
        found = []
        for algorithm in LENGTHS:
            with os.scandir(os.path.join(self._blobs, algorithm)) as entries:
                found += [Blob(f"{algorithm}:{entry.name}", entry.stat().st_size) for entry in entries]
        return found

    def sweep(self) -> int:
        """Remove what a crash left half-written; how many there were."""
        with os.scandir(self._ingest) as entries:
            left = [entry.path for entry in entries]
        for path in left:
            os.unlink(path)
        return len(left)


def _disk_error(error: OSError, ref: str) -> errors.Error:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return errors.ResourceExhausted(f"{ref}: {os.strerror(error.errno)}")
    return errors.Internal(f"{ref}: {error}")
