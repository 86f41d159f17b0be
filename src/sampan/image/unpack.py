"""From layer blobs to snapshots.

    blob ─▶ decompress and hash, in a thread ─▶ pipe ─▶ `Unpack`, a helper process whose root is the snapshot

Invariants  1. A layer whose uncompressed bytes do not hash to its diff id is never committed.
            2. Every snapshot prepared here is committed or removed, and after a crash swept: its key begins `unpack-`.
            3. Layers are unpacked side by side, two at a time; their order only matters when they are committed.
Errors      DataLoss: a diff id that differs. InvalidArgument: a damaged or hostile archive.
Spec        image-spec v1.1, config.md, "Layer DiffID" and "Layer ChainID".
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from sampan import errors
from sampan.base.locks import Keyed
from sampan.base.tasks import finish, run_blocking
from sampan.oci.descriptor import Descriptor
from sampan.oci.digest import chain_ids
from sampan.storage.content import ContentStore
from sampan.storage.layer.compression import Decoder
from sampan.storage.snapshot.contract import SnapshotChange, Snapshotter, Usage

KEY_PREFIX = "unpack-"
_READ_BYTES = 1 << 18
_PIPE_BYTES = 1 << 20
_AT_ONCE = 2


class Unpack(Protocol):
    """Applies the tar read from `tar_fd` to the directory `root_path`, confined to it; keeps its own copy of the fd."""

    async def __call__(self, root_path: str, tar_fd: int, *, options: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class UnpackedLayer:
    """An active snapshot that holds one layer."""

    key: str
    diff_id: str
    usage: Usage


@dataclass(slots=True)
class Unpacker:
    content: ContentStore
    snapshotter: Snapshotter
    unpack: Unpack
    _chains: Keyed = field(default_factory=Keyed)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    @asynccontextmanager
    async def layers(self, diff_ids: Sequence[str], descriptors: Sequence[Descriptor]) -> AsyncIterator["PendingStack"]:
        """Unpack what is missing of a stack; the block commits it by adding it to a change, or it is thrown away."""
        chain = chain_ids(diff_ids)
        async with AsyncExitStack() as held:
            # Lowest first, as everybody does: what two images share is a beginning, so nobody waits in a ring.
            for chain_id in chain:
                await held.enter_async_context(self._chains(chain_id))
            present = _present(self.snapshotter, chain)
            pending = PendingStack(chain)
            try:
                async with asyncio.TaskGroup() as group:
                    for position in range(present, len(chain)):
                        work = self._one(pending, position, descriptors[position], diff_ids[position])
                        group.create_task(work)
                yield pending
            except BaseExceptionGroup as failed:
                raise first_error(failed) from failed
            finally:
                await finish(self._discard(pending), timeout_s=60)

    async def layer(self, descriptor: Descriptor, diff_id: str | None) -> UnpackedLayer:
        """Unpack one layer into a new active snapshot, which is the caller's to commit or remove."""
        key = KEY_PREFIX + os.urandom(12).hex()
        async with self._slots:
            await self.snapshotter.prepare(key, None)
            try:
                found = await self._apply(descriptor, self.snapshotter.directory(key))
                if diff_id is not None and found != diff_id:
                    raise errors.DataLoss(
                        f"wrong diff id calculated on extraction {found}, expected {diff_id}: layer {descriptor.digest}"
                    )
                return UnpackedLayer(key, found, await self.snapshotter.usage(key))
            except BaseException:
                await finish(self.snapshotter.remove(key))
                raise

    async def _one(self, pending: "PendingStack", position: int, descriptor: Descriptor, diff_id: str) -> None:
        pending.unpacked[position] = await self.layer(descriptor, diff_id)

    async def _discard(self, pending: "PendingStack") -> None:
        kept = {snapshot.key for snapshot in self.snapshotter.snapshots()}
        for layer in pending.unpacked.values():
            if layer.key in kept:
                await self.snapshotter.remove(layer.key)

    async def _apply(self, descriptor: Descriptor, root_path: str) -> str:
        """Feed a layer to the helper; its diff id."""
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        stop = threading.Event()
        fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        async with asyncio.TaskGroup() as group:
            pumping = group.create_task(self._pump(descriptor, write_fd, stop))
            failure: errors.Error | None = None
            try:
                await self.unpack(root_path, read_fd, options={})
            except errors.Error as error:
                failure = error
                stop.set()
            except BaseException:
                stop.set()
                raise
            finally:
                # The pump then sees a broken pipe instead of waiting for a reader that is gone.
                os.close(read_fd)
        diff_id, damage = pumping.result()
        # A damaged blob also makes the helper fail, on a tar cut short: the cause goes first.
        if damage is not None:
            raise damage
        if failure is not None:
            raise failure
        return diff_id

    async def _pump(
        self, descriptor: Descriptor, write_fd: int, stop: threading.Event
    ) -> tuple[str, errors.Error | None]:
        try:
            with self.content.open(descriptor.digest) as blob:
                return await run_blocking("untar", _decompress, blob, write_fd, stop), None
        except errors.Error as error:
            return "", error
        finally:
            os.close(write_fd)


@dataclass(slots=True)
class PendingStack:
    """The chain ids of a stack, and the layers of it that were not there before, by position."""

    chain: list[str]
    unpacked: dict[int, UnpackedLayer] = field(default_factory=dict)

    def commit(self, change: SnapshotChange) -> None:
        """Add the commits to a change, lowest first."""
        for position, layer in sorted(self.unpacked.items()):
            below = self.chain[position - 1] if position else None
            change.commit(self.chain[position], layer.key, onto=below, usage=layer.usage)


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure in a group, however deep: groups stay inside this package."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _present(snapshotter: Snapshotter, chain: list[str]) -> int:
    """How many layers, from the lowest, are there already."""
    for position, chain_id in enumerate(chain):
        try:
            snapshotter.stat(chain_id)
        except errors.NotFound:
            return position
    return len(chain)


def _decompress(blob: BinaryIO, write_fd: int, stop: threading.Event) -> str:
    """Write a blob's plain bytes to a pipe until nobody reads it; the digest of all of them in any case."""
    digest = hashlib.sha256()
    is_read = True

    def take(piece: bytes) -> None:
        nonlocal is_read
        digest.update(piece)
        is_read = is_read and _write(write_fd, piece)

    decoder = Decoder(take)
    while not stop.is_set() and (chunk := blob.read(_READ_BYTES)):
        decoder.write(chunk)
    if not stop.is_set():
        decoder.close()
    return f"sha256:{digest.hexdigest()}"


def _write(write_fd: int, piece: bytes) -> bool:
    """Write everything; False when the reader is gone, as it may be before the padding behind a tar's end."""
    view = memoryview(piece)
    try:
        while view:
            view = view[os.write(write_fd, view) :]
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        return False
    return True
