"""Steps on snapshots that become durable in somebody's transaction.

    staged ──apply(tx), the transaction commits──▶ published       the index agrees with the database
       └──────── an exception leaves the block ──▶ the database is asked: published, or undone

Invariants  1. A snapshot's directories exist before its row does.
            2. A snapshot's row is gone before its directories are.
            3. After the block the index agrees with the database, whatever went wrong, a cancellation included.
"""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from sampan import errors
from sampan.base.failpoints import failpoint
from sampan.storage.metadata import Database, Transaction
from sampan.storage.snapshot.contract import Kind, Usage
from sampan.storage.snapshot.index import Entry, Index


class Disk(Protocol):
    """What a step needs of the driver."""

    def make(self, entry: Entry) -> None: ...
    def adopt(self, entry: Entry, parent: Entry) -> None: ...
    def reap(self, entry: Entry) -> None: ...


class _Step(Protocol):
    def apply(self, tx: Transaction) -> None: ...
    def is_applied(self, tx: Transaction) -> bool: ...
    def publish(self) -> None: ...
    def undo(self) -> None: ...


class _Prepare:
    def __init__(self, index: Index, disk: Disk, key: str, *, kind: Kind, parent: str | None) -> None:
        index.check_free(key)
        self._index, self._disk = index, disk
        self._entry = Entry(index.take_number(), key, kind, index.parent_of_new(parent))
        try:
            disk.make(self._entry)
        except OSError as error:
            disk.reap(self._entry)
            raise errors.Internal(f"snapshot {key}: {error}") from error
        failpoint("snapshot.prepare.made")
        index.entries[key] = self._entry
        if self._entry.parent:
            self._entry.parent.children += 1

    def apply(self, tx: Transaction) -> None:
        entry = self._entry
        parent = entry.parent.number if entry.parent else None
        tx.execute(
            "INSERT INTO snapshots (number, key, kind, parent) VALUES (?, ?, ?, ?)",
            (entry.number, entry.key, str(entry.kind), parent),
        )

    def is_applied(self, tx: Transaction) -> bool:
        return bool(tx.execute("SELECT 1 FROM snapshots WHERE number = ?", (self._entry.number,)))

    def publish(self) -> None:
        self._entry.is_settled = True

    def undo(self) -> None:
        del self._index.entries[self._entry.key]
        if self._entry.parent:
            self._entry.parent.children -= 1
        self._disk.reap(self._entry)


class _Commit:
    def __init__(self, index: Index, disk: Disk, name: str, *, key: str, onto: str | None, usage: Usage) -> None:
        index.check_free(name)
        self._index, self._disk, self._name, self._usage = index, disk, name, usage
        self._entry = index.get(key)
        if self._entry.kind is not Kind.ACTIVE or self._entry.is_leaving:
            raise errors.Conflict(f"snapshot {key} is not active")
        if onto is not None and self._entry.parent is not None:
            raise errors.Conflict(f"snapshot {key} already stands on {self._entry.parent.key}")
        self._parent = self._entry.parent or self._staged_or_settled(onto)
        if self._parent is not None and self._entry.parent is None:
            disk.adopt(self._entry, self._parent)
        self._entry.is_leaving = True
        # Reserved under its new name, so that a later step of the same change can stand on it.
        index.entries[name] = self._entry
        if self._parent is not None and self._entry.parent is None:
            self._parent.children += 1

    def _staged_or_settled(self, onto: str | None) -> Entry | None:
        staged = self._index.entries.get(onto) if onto is not None else None
        if staged is not None and staged.is_leaving and staged.key != onto:
            return staged
        return self._index.parent_of_new(onto)

    def apply(self, tx: Transaction) -> None:
        usage = self._usage
        tx.execute(
            "UPDATE snapshots SET key = ?, kind = 'committed', parent = ?, size_bytes = ?, inodes = ? WHERE number = ?",
            (
                self._name,
                self._parent.number if self._parent else None,
                usage.size_bytes,
                usage.inodes,
                self._entry.number,
            ),
        )

    def is_applied(self, tx: Transaction) -> bool:
        rows = tx.execute("SELECT key FROM snapshots WHERE number = ?", (self._entry.number,))
        return rows == [(self._name,)]

    def publish(self) -> None:
        del self._index.entries[self._entry.key]
        self._entry.key, self._entry.kind, self._entry.usage = self._name, Kind.COMMITTED, self._usage
        self._entry.parent = self._parent
        self._entry.is_leaving = False

    def undo(self) -> None:
        del self._index.entries[self._name]
        self._entry.is_leaving = False
        if self._parent is not None and self._entry.parent is None:
            self._parent.children -= 1


class _Remove:
    def __init__(self, index: Index, disk: Disk, key: str) -> None:
        self._index, self._disk = index, disk
        self._entry = index.get(key)
        if self._entry.is_leaving:
            raise errors.NotFound(f"snapshot {key} does not exist")
        if self._entry.children:
            raise errors.Conflict(f"cannot remove snapshot {key}: it is the parent of {self._entry.children}")
        self._entry.is_leaving = True
        # Now rather than at the end: a later step of the same change may remove the parent.
        if self._entry.parent:
            self._entry.parent.children -= 1

    def apply(self, tx: Transaction) -> None:
        tx.execute("DELETE FROM snapshots WHERE number = ?", (self._entry.number,))

    def is_applied(self, tx: Transaction) -> bool:
        return not tx.execute("SELECT 1 FROM snapshots WHERE number = ?", (self._entry.number,))

    def publish(self) -> None:
        failpoint("snapshot.remove.stored")
        del self._index.entries[self._entry.key]
        self._disk.reap(self._entry)

    def undo(self) -> None:
        self._entry.is_leaving = False
        if self._entry.parent:
            self._entry.parent.children += 1


class Change:
    """The implementation of `contract.SnapshotChange` for drivers with one directory per snapshot."""

    def __init__(self, database: Database, index: Index, disk: Disk) -> None:
        self._database, self._index, self._disk = database, index, disk
        self._steps: list[_Step] = []

    def prepare(self, key: str, parent: str | None) -> None:
        self._steps.append(_Prepare(self._index, self._disk, key, kind=Kind.ACTIVE, parent=parent))

    def view(self, key: str, parent: str) -> None:
        self._steps.append(_Prepare(self._index, self._disk, key, kind=Kind.VIEW, parent=parent))

    def commit(self, name: str, key: str, *, onto: str | None = None, usage: Usage) -> None:
        self._steps.append(_Commit(self._index, self._disk, name, key=key, onto=onto, usage=usage))

    def remove(self, key: str) -> None:
        self._steps.append(_Remove(self._index, self._disk, key))

    def apply(self, tx: Transaction) -> None:
        for step in self._steps:
            step.apply(tx)

    def __enter__(self) -> "Change":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or self._is_applied():
            for step in self._steps:
                step.publish()
        else:
            for step in reversed(self._steps):
                step.undo()

    def _is_applied(self) -> bool:
        """Ask the database: a cancelled write may still have happened. Its order makes this answer final."""
        if not self._steps:
            return False
        asked: Callable[[Transaction], bool] = self._steps[0].is_applied
        try:
            return self._database.write_blocking(asked)
        except errors.Error:
            return False


def root_attributes(path: str) -> tuple[int, int, int]:
    """Mode, owner and group of a snapshot's root directory."""
    status = os.stat(path)
    return status.st_mode & 0o7777, status.st_uid, status.st_gid
