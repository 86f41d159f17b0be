"""Local volumes: named directories that outlive containers.

Layout      <root>/<name>/_data     what a container sees;  rows in the table `volumes`
Invariants  1. Creating: the directory, then the row. Removing: the row, then the directory.
            2. A directory without a row is not touched, unlike elsewhere: it may hold somebody's only copy.
            3. An existing volume keeps its driver, options and labels when it is asked for again.
Units       Instants are nanoseconds since 1970 UTC.
Errors      NotFound, Conflict, InvalidArgument in Docker's words.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sampan import errors
from sampan.base.atomicfile import sync_directory
from sampan.base.clock import Clock, system_clock
from sampan.base.failpoints import failpoint
from sampan.base.ids import new_id
from sampan.base.tasks import run_blocking
from sampan.storage.metadata import Database, Transaction

_SCHEMA = (
    """
    CREATE TABLE volumes (
        name TEXT PRIMARY KEY,
        driver TEXT NOT NULL,
        options TEXT NOT NULL,
        labels TEXT NOT NULL,
        anonymous INTEGER NOT NULL,
        created_ns INTEGER NOT NULL
    );
    """,
)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_ANONYMOUS_LABEL = "com.docker.volume.anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    name: str
    path: str
    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    is_anonymous: bool = False
    created_ns: int = 0


class VolumeStore:
    """`users_of(name)` tells which containers, by id, have a volume: then it is not removed."""

    def __init__(
        self,
        root: str,
        database: Database,
        *,
        users_of: Callable[[str], Sequence[str]] = lambda name: (),
        clock: Clock = system_clock,
    ) -> None:
        self.root = os.path.abspath(root)
        self._database = database
        self._users_of = users_of
        self._clock = clock
        self._volumes: dict[str, Volume] = {}

    def open(self) -> None:
        os.makedirs(self.root, mode=0o701, exist_ok=True)
        self._database.migrate("volumes", _SCHEMA)
        self._reload()

    async def ensure(
        self,
        name: str = "",
        *,
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        anonymous: bool = False,
    ) -> Volume:
        """The volume of this name, made if there is none; without a name, a new one."""
        if name in self._volumes:
            return self._known(name, driver)
        if driver not in ("", "local"):
            raise errors.NotFound(
                f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found'
            )
        if options:
            # They would mount a device or a network share; taking them silently would lose data.
            raise errors.Unimplemented(f"options of the local volume driver are not supported: {', '.join(options)}")
        marks = {_ANONYMOUS_LABEL: ""} if anonymous or not name else {}
        volume = Volume(
            name=_checked(name) if name else new_id(),
            path="",
            labels={**marks, **(labels or {})},
            is_anonymous=anonymous or not name,
            created_ns=self._clock.now_ns(),
        )
        await run_blocking("disk", self._make, self._path(volume.name))
        failpoint("volume.create.made")
        try:
            await self._database.write(lambda tx: _insert(tx, volume))
        finally:
            self._reload()
        return self.get(volume.name)

    def get(self, name: str) -> Volume:
        volume = self._volumes.get(name)
        if volume is None:
            raise errors.NotFound(f"get {name}: no such volume")
        return volume

    def path(self, name: str) -> str:
        return self.get(name).path

    def list(self) -> list[Volume]:
        return sorted(self._volumes.values(), key=lambda volume: volume.name)

    async def remove(self, name: str) -> None:
        """Remove a volume and what is in it."""
        self.get(name)
        if users := self._users_of(name):
            raise errors.Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")
        try:
            await self._database.write(lambda tx: tx.execute("DELETE FROM volumes WHERE name = ?", (name,)))
        finally:
            self._reload()
        failpoint("volume.remove.stored")
        await run_blocking("disk", shutil.rmtree, os.path.dirname(self._path(name)), True)

    def _known(self, name: str, driver: str) -> Volume:
        volume = self._volumes[name]
        if driver and driver != volume.driver:
            raise errors.Conflict(f"create {name}: conflict: volume name must be unique")
        return volume

    def _path(self, name: str) -> str:
        return os.path.join(self.root, name, "_data")

    def _make(self, path: str) -> None:
        os.makedirs(path, mode=0o755, exist_ok=True)
        os.chmod(os.path.dirname(path), 0o701)
        os.chmod(path, 0o755)
        for folder in (os.path.dirname(path), self.root):
            sync_directory(folder)

    def _reload(self) -> None:
        rows = self._database.read(_rows)
        self._volumes = {
            name: Volume(
                name=name,
                path=self._path(name),
                driver=driver,
                options=json.loads(options),
                labels=json.loads(labels),
                is_anonymous=bool(anonymous),
                created_ns=created_ns,
            )
            for name, driver, options, labels, anonymous, created_ns in rows
        }


def _checked(unsafe_name: str) -> str:
    if len(unsafe_name) == 1:
        raise errors.InvalidArgument(
            f"create {unsafe_name}: volume name is too short, names should be at least two alphanumeric characters"
        )
    if not _NAME.fullmatch(unsafe_name):
        raise errors.InvalidArgument(
            f'create {unsafe_name}: "{unsafe_name}" includes invalid characters for a local volume name, only'
            ' "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
    return unsafe_name


def _insert(tx: Transaction, volume: Volume) -> None:
    # A volume that another call made meanwhile is as good.
    tx.execute(
        "INSERT OR IGNORE INTO volumes VALUES (?, ?, ?, ?, ?, ?)",
        (
            volume.name,
            volume.driver,
            json.dumps(dict(volume.options)),
            json.dumps(dict(volume.labels)),
            int(volume.is_anonymous),
            volume.created_ns,
        ),
    )


def _rows(tx: Transaction) -> list[tuple[str, str, str, str, int, int]]:
    rows = tx.execute("SELECT name, driver, options, labels, anonymous, created_ns FROM volumes")
    return [(name, driver, options, labels, mark, created) for name, driver, options, labels, mark, created in rows]
