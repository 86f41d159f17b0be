"""The metadata database: SQLite behind one writer thread. The only module that imports sqlite3.

Layout      <path> (the database), <path>-wal and <path>-shm beside it; schema_versions(component, version) says
            which migration steps of each component have run.
Invariants  1. When `write` returns, the change survives a power cut (WAL, synchronous=FULL).
            2. Writes have one order, that of their submission. Those that wait together share one transaction and
               one fsync; each runs in its own savepoint, so the failure of one leaves the others whole.
            3. `read` sees one consistent state that contains every write acknowledged before it began.
            4. Migrations only go forward; a database newer than the program is refused.
            5. A write whose caller was cancelled before its turn does not happen; one cancelled later may have.
Errors      AlreadyExists (a uniqueness or foreign-key rule), ResourceExhausted (disk full), DataLoss (damaged file),
            Internal (everything else of SQLite, and any use after close); what `fn` raises comes out as it is.
"""

import asyncio
import concurrent.futures
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sampan import errors
from sampan.base.failpoints import failpoint

T = TypeVar("T")
Row = tuple[Any, ...]

# More than this many writes in one transaction would make the first of them wait noticeably.
_BATCH = 256
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "journal_size_limit=4194304",
    "temp_store=MEMORY",
)


class Transaction:
    """What a `write` or `read` function works with; it is valid only while that function runs."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return all of its rows."""
        try:
            return self._connection.execute(sql, params).fetchall()
        except sqlite3.Error as error:
            raise _translated(error) from error


class _Job:
    __slots__ = ("done", "fn", "outcome")

    def __init__(self, fn: Callable[[Transaction], Any]) -> None:
        self.fn = fn
        self.done: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.outcome: tuple[Any, BaseException | None] = (None, None)


LOG_BYTES = 4 << 20


class Database:
    """Open it once per process; every method may be called from any thread, `write` from any event loop."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._writing: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        self._read_lock = threading.Lock()
        self._submit_lock = threading.Lock()

    def open(self) -> None:
        """Create or open the file and start the writer thread."""
        try:
            self._writing = _connect(self.path)
            self._reading = _connect(self.path)
            self._reading.execute("PRAGMA query_only=ON")
            self._writing.execute(
                "CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL)"
            )
            _grow_log(self._writing)
        except sqlite3.Error as error:
            raise _translated(error) from error
        self._writer = threading.Thread(target=self._write_batches, name="metadata-writer", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Finish the writes submitted so far and close the file; doing so twice is harmless."""
        with self._submit_lock:
            writer, self._writer = self._writer, None
            if writer is not None:
                self._jobs.put(None)
        if writer is not None:
            writer.join()
        with self._read_lock:
            for connection in (self._reading, self._writing):
                if connection is not None:
                    connection.close()
            self._reading = self._writing = None

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` in the writer thread; its result is returned once the change is durable."""
        job = self._submit(fn)
        result: T = await asyncio.wrap_future(job.done)
        return result

    def write_blocking(self, fn: Callable[[Transaction], T]) -> T:
        """`write` for threads other than the event loop's, and for start-up before there is a loop."""
        result: T = self._submit(fn).done.result()
        return result

    def read(self, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` at once on a connection that cannot write; keep it short, it may be the event loop's thread."""
        with self._read_lock:
            connection = self._reading
            if connection is None:
                raise errors.Internal(f"database {self.path} is not open")
            connection.execute("BEGIN")
            try:
                return fn(Transaction(connection))
            finally:
                connection.execute("COMMIT")

    def migrate(self, component: str, steps: Sequence[str]) -> None:
        """Run the steps of `component` that have not run here yet; each is an SQL script."""
        self.write_blocking(lambda tx: _migrate(tx, component, steps))

    def _submit(self, fn: Callable[[Transaction], Any]) -> _Job:
        job = _Job(fn)
        with self._submit_lock:
            if self._writer is None:
                raise errors.Internal(f"database {self.path} is not open")
            self._jobs.put(job)
        return job

    def _write_batches(self) -> None:
        assert self._writing is not None
        last = False
        while not last:
            batch, last = self._next_batch()
            running = [job for job in batch if job.done.set_running_or_notify_cancel()]
            if running:
                _run_batch(self._writing, running)
            for job in running:
                result, error = job.outcome
                if error is None:
                    job.done.set_result(result)
                else:
                    job.done.set_exception(error)

    def _next_batch(self) -> tuple[list[_Job], bool]:
        """Wait for one job and take what else is there; the flag says that the end was reached."""
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == _BATCH:
                return batch, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _run_batch(connection: sqlite3.Connection, jobs: list[_Job]) -> None:
    """One transaction for all jobs; afterwards each job's outcome is set."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            _run_job(connection, job)
        failpoint("metadata.commit")
        connection.execute("COMMIT")
        failpoint("metadata.committed")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for job in jobs:
            # One exception object for all callers would collect the tracebacks of all of them.
            failed = _translated(error)
            failed.__cause__ = error
            job.outcome = (None, failed)


def _grow_log(connection: sqlite3.Connection) -> None:
    """Give the write-ahead log its room at once.

    A commit that makes a file longer waits for the file system's journal, and with it for everybody's unrelated
    changes; one that writes over what is there does not (fdatasync(2)). After the checkpoint the log is written from
    its beginning.
    """
    connection.execute("CREATE TABLE IF NOT EXISTS filler (content BLOB)")
    connection.execute("INSERT INTO filler VALUES (zeroblob(?))", (LOG_BYTES,))
    connection.execute("DROP TABLE filler")
    connection.execute("PRAGMA wal_checkpoint(RESTART)")


def _run_job(connection: sqlite3.Connection, job: _Job) -> None:
    connection.execute("SAVEPOINT job")
    try:
        job.outcome = (job.fn(Transaction(connection)), None)
    except BaseException as error:
        job.outcome = (None, error)
        # A full disk or an I/O error makes SQLite roll the whole transaction back: then nobody's work is left.
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _migrate(tx: Transaction, component: str, steps: Sequence[str]) -> None:
    rows = tx.execute("SELECT version FROM schema_versions WHERE component = ?", (component,))
    version = rows[0][0] if rows else 0
    if version > len(steps):
        raise errors.Internal(
            f"the data of {component} is at version {version}, newer than this program's {len(steps)}: upgrade it"
        )
    for step in steps[version:]:
        for statement in _statements(step):
            tx.execute(statement)
    tx.execute("INSERT OR REPLACE INTO schema_versions VALUES (?, ?)", (component, len(steps)))


def _statements(script: str) -> list[str]:
    """The statements of a script; `executescript` cannot be used because it commits first."""
    found, pending = [], ""
    for piece in script.split(";"):
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            if pending.strip(" \t\r\n;"):
                found.append(pending)
            pending = ""
    if pending.strip(" \t\r\n;"):
        found.append(pending)
    return found


def _translated(error: BaseException) -> errors.Error:
    if isinstance(error, errors.Error):
        return type(error)(str(error)) if type(error) is not errors.StartFailed else errors.Internal(str(error))
    code = getattr(error, "sqlite_errorname", "")
    message = f"metadata: {error}"
    if code.startswith("SQLITE_CONSTRAINT"):
        return errors.AlreadyExists(message)
    if code.startswith("SQLITE_FULL"):
        return errors.ResourceExhausted(message)
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return errors.DataLoss(message)
    return errors.Internal(message)
