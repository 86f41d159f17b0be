"""The containers that exist, in memory, found by id, name or the beginning of an id.

Invariants  1. A name belongs to one container, from the moment `reserve` returns until `release`.
            2. Every change of a `Container` happens in one synchronous stretch on the event loop.
"""

import asyncio
import os
from collections.abc import Iterator

from sampan.engine.containers.collaborators import Shim
from sampan.engine.containers.record import ContainerRecord, MountPoint, Outcome
from sampan.engine.containers.states import HAS_PROCESS, State, moved
from sampan.errors import AlreadyExists, InvalidArgument, NotFound
from sampan.runtime.request import AttachStream

CONDITIONS = ("not-running", "next-exit", "removed")


class Container:
    """A container and what it is doing now; what survives the daemon is its record and its shim.

    parked      streams of clients that attached before the start; `start` hands them to the shim
    connecting  attach sessions accepted by the API whose stream has not arrived yet; `start` waits for them
    waiters     by condition (`CONDITIONS`): futures of the outcome
    """

    __slots__ = (
        "connecting",
        "exec_ids",
        "has_started",
        "is_gone",
        "is_restarting",
        "manually_stopped",
        "outcome",
        "parked",
        "pid",
        "record",
        "restart_count",
        "shim",
        "state",
        "waiters",
    )

    def __init__(self, record: ContainerRecord) -> None:
        self.record = record
        self.state = State.CREATED
        self.outcome = Outcome()
        self.pid = 0
        self.shim: Shim | None = None
        self.has_started = False
        self.is_restarting = False
        self.manually_stopped = False
        self.restart_count = 0
        self.is_gone = False
        self.parked: list[AttachStream] = []
        self.connecting: set[asyncio.Future[None]] = set()
        self.waiters: dict[str, set[asyncio.Future[Outcome]]] = {name: set() for name in CONDITIONS}
        self.exec_ids: list[str] = []

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def is_running(self) -> bool:
        return self.state in HAS_PROCESS

    @property
    def anonymous_volumes(self) -> list[MountPoint]:
        return [mount for mount in self.record.mounts if mount.anonymous and mount.type == "volume"]

    def ran(self, shim: Shim, *, pid: int, started_at_ns: int) -> None:
        """Its first process runs."""
        self.state = moved(self.state, State.RUNNING)
        self.shim, self.pid = shim, pid
        self.outcome = Outcome(started_at_ns=started_at_ns)
        self.has_started = True

    def ended(self, outcome: Outcome) -> None:
        """Its first process has ended."""
        self.state = moved(self.state, State.EXITED)
        self.shim, self.pid = None, 0
        self.outcome = outcome
        self.exec_ids.clear()

    def recovered(self, state: State, outcome: Outcome) -> None:
        """Its state as the daemon finds it at start, in place of the one it was made with."""
        self.state, self.outcome = state, outcome
        self.has_started = outcome.started_at_ns > 0

    def wake(self, *conditions: str) -> None:
        """Answer those who wait for one of `conditions`."""
        for condition in conditions:
            waiting, self.waiters[condition] = self.waiters[condition], set()
            for future in waiting:
                if not future.done():
                    future.set_result(self.outcome)

    def drop_parked(self) -> None:
        """Hang up on clients whose stream no shim will ever serve."""
        parked, self.parked = self.parked, []
        for stream in parked:
            os.close(stream.fd)


class Registry:
    """All containers of the engine."""

    def __init__(self) -> None:
        self._by_id: dict[str, Container] = {}
        self._by_name: dict[str, str] = {}

    def __iter__(self) -> Iterator[Container]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def names(self) -> set[str]:
        return set(self._by_name)

    def reserve(self, name: str, id: str) -> None:
        """Give `name` to the container `id`, or raise AlreadyExists in Docker's words."""
        holder = self._by_name.setdefault(name, id)
        if holder != id:
            raise AlreadyExists(
                f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )

    def release(self, name: str, id: str) -> None:
        """Give the name back; idempotent."""
        if self._by_name.get(name) == id:
            del self._by_name[name]

    def add(self, container: Container) -> None:
        """Make a container visible; its name is reserved."""
        self._by_id[container.id] = container

    def discard(self, container: Container) -> None:
        """Forget a container and free its name."""
        self._by_id.pop(container.id, None)
        container.is_gone = True
        self.release(container.name, container.id)

    def find(self, ref: str) -> Container | None:
        """The container of an id, a name or an unambiguous beginning of an id."""
        ref = ref.removeprefix("/")
        found = self._by_id.get(ref) or self._by_id.get(self._by_name.get(ref, ""))
        if found is not None or not ref or len(ref) >= 64:
            return found
        matches = [id for id in self._by_id if id.startswith(ref)]
        if len(matches) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {ref}")
        return self._by_id[matches[0]] if matches else None

    def get(self, ref: str) -> Container:
        """The same; NotFound when there is none."""
        found = self.find(ref)
        if found is None:
            raise NotFound(f"No such container: {ref}")
        return found
