import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan import errors
from sampan.base import failpoints
from sampan.storage.metadata import Database, Transaction


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(str(tmp_path / "meta.db"))
    found.open()
    found.migrate("test", ["CREATE TABLE pairs (key TEXT PRIMARY KEY, value INTEGER)"])
    yield found
    found.close()


def put(key: str, value: int):
    return lambda tx: tx.execute("INSERT INTO pairs VALUES (?, ?)", (key, value))


def keys(tx: Transaction) -> list[str]:
    return [row[0] for row in tx.execute("SELECT key FROM pairs ORDER BY key")]


def test_a_write_is_seen_by_the_next_read(database: Database) -> None:
    asyncio.run(database.write(put("a", 1)))
    assert database.read(keys) == ["a"]


def test_a_write_returns_the_result_of_its_function(database: Database) -> None:
    assert asyncio.run(database.write(lambda tx: tx.execute("SELECT 1 + 1"))) == [(2,)]


def test_a_write_survives_closing(tmp_path: Path, database: Database) -> None:
    database.write_blocking(put("a", 1))
    database.close()
    again = Database(str(tmp_path / "meta.db"))
    again.open()
    assert again.read(keys) == ["a"]
    again.close()


def test_what_a_write_function_raises_comes_out_and_undoes_its_changes(database: Database) -> None:
    def fails(tx: Transaction) -> None:
        put("a", 1)(tx)
        raise errors.Conflict("no")

    with pytest.raises(errors.Conflict, match="no"):
        asyncio.run(database.write(fails))
    assert database.read(keys) == []


def _together(database: Database, *functions):
    """Submit all functions while the writer is busy, so that they share a transaction."""
    busy, gate = threading.Event(), threading.Event()

    def hold(tx: Transaction) -> bool:
        busy.set()
        return gate.wait(10)

    async def all_of_them() -> list[object]:
        async def one(fn) -> object:
            try:
                return await database.write(fn)
            except errors.Error as error:
                return error

        async with asyncio.TaskGroup() as group:
            first = group.create_task(one(hold))
            await asyncio.to_thread(busy.wait, 10)
            rest = [group.create_task(one(fn)) for fn in functions]
            await asyncio.sleep(0)
            gate.set()
        assert first.result()
        return [task.result() for task in rest]

    return asyncio.run(all_of_them())


def test_concurrent_writes_share_a_transaction_and_keep_their_order(database: Database) -> None:
    failpoints.arm("metadata.commit=3*error")  # a third commit would fail: the gate's is one, the rest one more
    try:
        outcomes = _together(database, *(put(f"{n:02}", n) for n in range(40)))
    finally:
        failpoints.arm("")
    assert outcomes == [[]] * 40
    assert database.read(lambda tx: tx.execute("SELECT value FROM pairs ORDER BY rowid")) == [(n,) for n in range(40)]


def test_the_failure_of_one_write_leaves_the_others_of_its_group(database: Database) -> None:
    first, second, third = _together(database, put("a", 1), put("a", 2), put("b", 3))
    assert (first, third) == ([], []) and isinstance(second, errors.AlreadyExists)
    assert database.read(keys) == ["a", "b"]


def test_a_failed_commit_fails_every_write_of_the_group_and_the_next_group_works(database: Database) -> None:
    failpoints.arm("metadata.commit=2*error")
    try:
        outcomes = _together(database, put("a", 1), put("b", 2))
    finally:
        failpoints.arm("")
    assert all(isinstance(outcome, errors.Internal) for outcome in outcomes)
    assert database.read(keys) == []
    asyncio.run(database.write(put("c", 3)))
    assert database.read(keys) == ["c"]


def test_a_write_cancelled_before_its_turn_does_not_happen(database: Database) -> None:
    busy, gate = threading.Event(), threading.Event()

    def hold(tx: Transaction) -> bool:
        busy.set()
        return gate.wait(10)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(database.write(hold))
            await asyncio.to_thread(busy.wait, 10)
            late = group.create_task(database.write(put("a", 1)))
            await asyncio.sleep(0)
            late.cancel()
            await asyncio.sleep(0)
            gate.set()

    asyncio.run(main())
    assert database.read(keys) == []


def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises(errors.Internal, match="readonly"):
        database.read(put("a", 1))


def test_a_closed_database_says_so(database: Database) -> None:
    database.close()
    with pytest.raises(errors.Internal, match="not open"):
        database.read(keys)
    with pytest.raises(errors.Internal, match="not open"):
        database.write_blocking(keys)


def test_migration_steps_run_once_each_and_in_order(database: Database) -> None:
    steps = ["CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('x;y');", "INSERT INTO t SELECT a || '2' FROM t"]
    database.migrate("m", steps[:1])
    database.migrate("m", steps)
    database.migrate("m", steps)
    assert database.read(lambda tx: tx.execute("SELECT a FROM t")) == [("x;y",), ("x;y2",)]


def test_a_trigger_is_one_statement_of_a_script(database: Database) -> None:
    database.migrate(
        "m",
        [
            "CREATE TABLE t (a INT); CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t WHERE a < 0; END;"
            "INSERT INTO t VALUES (-1), (2)"
        ],
    )
    assert database.read(lambda tx: tx.execute("SELECT a FROM t")) == [(2,)]


def test_a_failing_step_leaves_the_schema_as_it_was(database: Database) -> None:
    with pytest.raises(errors.Internal):
        database.migrate("m", ["CREATE TABLE t (a TEXT)", "nonsense"])
    database.migrate("m", ["CREATE TABLE t (b TEXT)"])


def test_data_of_a_newer_program_is_refused(database: Database) -> None:
    database.migrate("m", ["SELECT 1", "SELECT 1"])
    with pytest.raises(errors.Internal, match="newer"):
        database.migrate("m", ["SELECT 1"])


def test_a_file_that_is_no_database_is_data_loss(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"this is not a database, and long enough to be noticed" * 50)
    with pytest.raises(errors.DataLoss):
        Database(str(tmp_path / "bad.db")).open()


CRASH = """
import sys
from sampan.storage.metadata import Database
database = Database(sys.argv[1])
database.open()
database.write_blocking(lambda tx: tx.execute("INSERT INTO pairs VALUES ('crash', 1)"))
"""


@pytest.mark.parametrize(("point", "kept"), [("metadata.commit", []), ("metadata.committed", ["crash"])])
def test_a_crash_around_the_commit_keeps_all_or_nothing(
    tmp_path: Path, database: Database, point: str, kept: list[str]
) -> None:
    armed = os.environ | {"SAMPAN_FAILPOINTS": f"{point}=kill"}
    done = subprocess.run([sys.executable, "-c", CRASH, database.path], env=armed, check=False)
    assert done.returncode == -signal.SIGKILL
    assert database.read(keys) == kept
