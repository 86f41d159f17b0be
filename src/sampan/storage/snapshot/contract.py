"""What a snapshotter promises.

Words       An *active* snapshot has a key and can be written through its mounts. A *committed* one has a name and
            never changes. A *view* has a key and cannot be written. Keys and names share one space. Each may have a
            *parent*, which is committed: the state it started from.

    prepare(key, parent) ──▶ active ──commit(name, key)──▶ committed ──▶ parent of others
    view(key, parent)    ──▶ view           remove(key) ends any of them that is nobody's parent

Importing a layer: prepare a snapshot without a parent, unpack the layer into `directory(key)`, commit it *onto* the
snapshot of the layers below. A layer's own directory does not depend on those below it (deletions are whiteout
devices), so the layers of an image are unpacked side by side and committed in order.

Running a container: `prepare(container key, the image's top chain id)`, mount what `mounts(key)` says, remove the key.

Several steps, and rows of others, become one durable transaction by `change()`:

    with snapshotter.change() as change:
        change.prepare(key, parent)
        await database.write(lambda tx: (insert_container(tx), change.apply(tx)))

Conformance tests/conformance/snapshotter runs against every driver.
Errors      NotFound (no such key), AlreadyExists (key or name in use), Conflict (is a parent; is not active).
Threads     Everything is called on one event loop's thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol

from sampan.linux.mount import Mount
from sampan.storage.metadata import Transaction


class Kind(StrEnum):
    ACTIVE = "active"
    VIEW = "view"
    COMMITTED = "committed"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a snapshot holds itself, without its parents, as Docker counts it: no directories, links once."""

    size_bytes: int
    inodes: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    key: str
    kind: Kind
    parent: str | None
    usage: Usage | None


class SnapshotChange(Protocol):
    """Steps that take effect together; leaving the block by an exception undoes what the database did not keep."""

    def prepare(self, key: str, parent: str | None) -> None: ...
    def view(self, key: str, parent: str) -> None: ...
    def commit(self, name: str, key: str, *, onto: str | None = None, usage: Usage) -> None: ...
    def remove(self, key: str) -> None: ...
    def apply(self, tx: Transaction) -> None: ...
    def __enter__(self) -> "SnapshotChange": ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Snapshotter(Protocol):
    def change(self) -> SnapshotChange: ...

    async def prepare(self, key: str, parent: str | None) -> list[Mount]: ...
    async def view(self, key: str, parent: str) -> list[Mount]: ...
    async def commit(self, name: str, key: str, *, onto: str | None = None) -> Usage: ...
    async def remove(self, key: str) -> None: ...

    def mounts(self, key: str) -> list[Mount]: ...
    def directory(self, key: str) -> str: ...
    def stat(self, key: str) -> Snapshot: ...
    def snapshots(self) -> Sequence[Snapshot]: ...
    async def usage(self, key: str) -> Usage: ...
    async def sweep(self) -> int: ...
