"""The snapshots in memory: a mirror of their table, so that mounting a container asks no SQL.

Invariants  1. An entry that is `settled` has a committed row; one that is not belongs to a change under way.
            2. `children` counts the entries, settled or not, whose parent this is.
            3. `lower` of an entry is the lowerdir text of it and everything below it.
            4. Numbers are never given twice while the daemon runs.
"""

from dataclasses import dataclass

from sampan import errors
from sampan.storage.metadata import Database, Transaction
from sampan.storage.snapshot.contract import Kind, Snapshot, Usage

SCHEMA = (
    """
    CREATE TABLE snapshots (
        number INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        parent INTEGER REFERENCES snapshots (number),
        size_bytes INTEGER,
        inodes INTEGER
    );
    CREATE INDEX snapshots_parent ON snapshots (parent);
    """,
)

# The lowest layer of everything that has no parent: overlayfs wants at least one, and a view of one layer two.
EMPTY = "0/fs"


@dataclass(slots=True, eq=False)
class Entry:
    number: int
    key: str
    kind: Kind
    parent: "Entry | None"
    usage: Usage | None = None
    children: int = 0
    is_settled: bool = False
    is_leaving: bool = False

    @property
    def lower(self) -> str:
        names, entry = [], self
        while True:
            names.append(f"{entry.number}/fs")
            if entry.parent is None:
                return ":".join(names)
            entry = entry.parent

    def snapshot(self) -> Snapshot:
        return Snapshot(self.key, self.kind, self.parent.key if self.parent else None, self.usage)


class Index:
    """Entries by key, and the next free number."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._next = 1

    def load(self, database: Database, *, used_numbers: set[int]) -> None:
        """Read the table; `used_numbers` are those whose directories exist."""
        rows = database.read(_rows)
        by_number: dict[int, Entry] = {}
        for number, key, kind, size_bytes, inodes, _parent in rows:
            usage = None if size_bytes is None else Usage(size_bytes, inodes)
            by_number[number] = Entry(number, key, Kind(kind), None, usage, is_settled=True)
        for number, *_columns, parent in rows:
            if parent is not None:
                by_number[number].parent = by_number[parent]
                by_number[parent].children += 1
        self.entries = {entry.key: entry for entry in by_number.values()}
        self._next = max(by_number.keys() | used_numbers, default=0) + 1

    def take_number(self) -> int:
        self._next += 1
        return self._next - 1

    def get(self, key: str) -> Entry:
        """A settled entry; the name that a commit under way has reserved is not there yet."""
        entry = self.entries.get(key)
        if entry is None or not entry.is_settled or entry.key != key:
            raise errors.NotFound(f"snapshot {key} does not exist")
        return entry

    def parent_of_new(self, name: str | None) -> Entry | None:
        """The committed entry that a new snapshot is to stand on."""
        if name is None:
            return None
        entry = self.get(name)
        if entry.kind is not Kind.COMMITTED:
            raise errors.Conflict(f"parent snapshot {name} is not committed")
        if entry.is_leaving:
            raise errors.Conflict(f"parent snapshot {name} is being removed")
        return entry

    def check_free(self, key: str) -> None:
        if key in self.entries:
            raise errors.AlreadyExists(f"snapshot {key} already exists")


def _rows(tx: Transaction) -> list[tuple[int, str, str, int | None, int, int | None]]:
    return [
        (number, key, kind, size_bytes, inodes, parent)
        for number, key, kind, size_bytes, inodes, parent in tx.execute(
            "SELECT number, key, kind, size_bytes, inodes, parent FROM snapshots"
        )
    ]
