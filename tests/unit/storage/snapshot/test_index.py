import pytest

from sampan import errors
from sampan.storage.metadata import Database, Transaction
from sampan.storage.snapshot.contract import Kind, Usage
from sampan.storage.snapshot.index import SCHEMA, Entry, Index

ROWS = [
    (1, "one", "committed", None, 10, 1),
    (2, "two", "committed", 1, 20, 2),
    (5, "run", "active", 2, None, None),
    (6, "look", "view", 1, None, None),
]


@pytest.fixture
def index(database: Database) -> Index:
    database.migrate("snapshots", SCHEMA)

    def write(tx: Transaction) -> None:
        for row in ROWS:
            tx.execute(
                "INSERT INTO snapshots (number, key, kind, parent, size_bytes, inodes) VALUES (?,?,?,?,?,?)", row
            )

    database.write_blocking(write)
    found = Index()
    found.load(database, used_numbers={9})
    return found


def test_the_table_is_mirrored(index: Index) -> None:
    assert {key: entry.children for key, entry in index.entries.items()} == {"one": 2, "two": 1, "run": 0, "look": 0}
    found = index.get("two").snapshot()
    assert (found.kind, found.parent, found.usage) == (Kind.COMMITTED, "one", Usage(20, 2))
    assert index.get("run").snapshot().usage is None


def test_the_lower_directories_go_from_the_top_down(index: Index) -> None:
    assert index.get("run").lower == "5/fs:2/fs:1/fs"
    assert index.get("one").lower == "1/fs"


def test_a_number_is_neither_a_rows_nor_a_directorys_and_is_given_once(index: Index) -> None:
    assert [index.take_number(), index.take_number()] == [10, 11]
    assert Index().take_number() == 1


def test_a_new_snapshot_stands_on_a_committed_one_only(index: Index) -> None:
    assert index.parent_of_new(None) is None
    assert index.parent_of_new("two") is index.get("two")
    for key in ("run", "look"):
        with pytest.raises(errors.Conflict, match=f"parent snapshot {key} is not committed"):
            index.parent_of_new(key)
    with pytest.raises(errors.NotFound, match="snapshot nope does not exist"):
        index.parent_of_new("nope")
    index.get("two").is_leaving = True
    with pytest.raises(errors.Conflict, match="parent snapshot two is being removed"):
        index.parent_of_new("two")


def test_what_is_not_settled_is_not_there_but_its_key_is_taken(index: Index) -> None:
    index.entries["new"] = Entry(7, "new", Kind.ACTIVE, None)
    with pytest.raises(errors.NotFound):
        index.get("new")
    with pytest.raises(errors.AlreadyExists, match="snapshot new already exists"):
        index.check_free("new")
    index.entries["new"].is_settled = True
    assert index.get("new").number == 7
