"""A container at rest: what was asked for, resolved and checked, as one row of the database.

Layout      table containers(id, name, wanted, record, outcome). `record` is the JSON of `ContainerRecord` and never
            changes; `wanted` is 1 from a start until a stop or an exit that nothing restarts; `outcome` is the JSON of
            an `Outcome` that no shim recorded (a start that failed), else null.
Invariants  1. A running container is described by its shim, not here: after a restart of the daemon the record
               follows the world.
            2. An exit costs no write: the shim's exit record is the truth about it.
Units       Instants in nanoseconds since 1970, 0 for never.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.storage.metadata import Transaction

COMPONENT = "containers"
MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE containers (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        wanted INTEGER NOT NULL DEFAULT 0,
        record BLOB NOT NULL,
        outcome BLOB
    ) WITHOUT ROWID
    """,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPoint:
    """One mount that the user or the image asked for, ready to be made.

    type          "bind", "volume" or "tmpfs"
    source        absolute path on the host (a volume's directory of files); "" for tmpfs
    destination   absolute, clean path in the container
    mode          the options as the user wrote them ("ro,z"), for inspect
    propagation   "rprivate" and its kin for binds, else ""
    options       what goes to mount(2) in addition, for tmpfs: ["size=65536k", "mode=1777", "noexec"]
    anonymous     a volume that lives and dies with the container
    copy_up       fill the volume, while empty, with what the image has at `destination`
    create_source a bind's source directory is made when it is missing (-v, not --mount)

    HostConfig.Tmpfs is not among the mounts of a record: it needs no resolving, and inspect lists it elsewhere.
    """

    type: str
    destination: str
    source: str = ""
    name: str = ""
    driver: str = ""
    mode: str = ""
    read_write: bool = True
    propagation: str = ""
    recursive: bool = True
    read_only_recursive: bool = False
    options: list[str] = field(default_factory=list)
    anonymous: bool = False
    copy_up: bool = False
    create_source: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecord:
    """What never changes about a container.

    image_id    the image's id; `config.image` is the reference as the user wrote it
    path, args  the program and its arguments: entrypoint and command joined
    config      the user's configuration with the image's merged in
    """

    id: str
    name: str
    created_ns: int
    image_id: str
    path: str
    args: list[str]
    config: ContainerConfig
    host: HostConfig
    networking: NetworkingConfig
    mounts: list[MountPoint]
    platform: str = "linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the latest run ended, or why it never began."""

    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at_ns: int = 0
    finished_at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table, decoded."""

    record: ContainerRecord
    wanted: bool
    outcome: Outcome | None


_record_decoder = msgspec.json.Decoder(ContainerRecord)
_outcome_decoder = msgspec.json.Decoder(Outcome)


def insert(transaction: Transaction, record: ContainerRecord) -> None:
    transaction.execute(
        "INSERT INTO containers (id, name, record) VALUES (?, ?, ?)",
        (record.id, record.name, msgspec.json.encode(record)),
    )


def delete(transaction: Transaction, id: str) -> None:
    transaction.execute("DELETE FROM containers WHERE id = ?", (id,))


def set_wanted(transaction: Transaction, id: str, *, wanted: bool, outcome: Outcome | None = None) -> None:
    """Note the desired state, and the outcome when no shim wrote one."""
    transaction.execute(
        "UPDATE containers SET wanted = ?, outcome = ? WHERE id = ?",
        (int(wanted), None if outcome is None else msgspec.json.encode(outcome), id),
    )


def load(transaction: Transaction) -> list[Row]:
    """Every row, oldest first."""
    rows = [
        Row(_record_decoder.decode(record), bool(wanted), outcome and _outcome_decoder.decode(outcome))
        for record, wanted, outcome in transaction.execute("SELECT record, wanted, outcome FROM containers")
    ]
    return sorted(rows, key=lambda row: row.record.created_ns)
