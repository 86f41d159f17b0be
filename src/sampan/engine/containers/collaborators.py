"""What the container verbs ask of the parts below and beside them, and the collaborators they are given.

The Protocols are declared here, by their consumer; the launcher, the shim's client, storage and network implement them,
and `tests/fakes` stands in for them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sampan.base.clock import Clock
from sampan.base.locks import Keyed
from sampan.base.tasks import TaskScope
from sampan.engine.host import HostFacts
from sampan.engine.logs import DirectoryWatcher
from sampan.runtime.request import AttachStream, ExitRecord, LaunchRequest
from sampan.storage.metadata import Database
from sampan.storage.snapshot.contract import Snapshotter

if TYPE_CHECKING:
    from sampan.engine.containers.registry import Registry
    from sampan.engine.eventlog import EventLog
    from sampan.image.store import ImageStore
    from sampan.network.networks import Networks
    from sampan.storage.volume import VolumeStore


class Started(Protocol):
    """A process that runs."""

    @property
    def pid(self) -> int: ...
    @property
    def started_at_ns(self) -> int: ...


class Netns(Protocol):
    """A network namespace that nothing else keeps alive."""

    @property
    def ns_fd(self) -> int: ...
    @property
    def route_fd(self) -> int: ...
    def close(self) -> None: ...


class Shim(Protocol):
    """The supervisor of one container."""

    @property
    def pid(self) -> int: ...
    async def start(self) -> Started: ...
    async def wait_exit(self) -> ExitRecord: ...
    async def attach(self, stream: AttachStream) -> None: ...
    async def exec(
        self,
        exec_id: str,
        process: dict[str, Any],
        *,
        user: str,
        groups: list[str],
        stream: AttachStream | None,
        tty: bool,
    ) -> int: ...
    async def wait_exec(self, exec_id: str) -> int: ...
    async def resize(self, height: int, width: int, *, exec_id: str | None = None) -> None: ...
    async def kill(self, signal: int, *, exec_id: str | None = None, all: bool = False) -> None: ...
    async def discard(self) -> None: ...


class Launcher(Protocol):
    """The process that forks shims."""

    async def launch(
        self, request: LaunchRequest, *, netns: Any = None, attaches: list[AttachStream] | None = None
    ) -> Shim: ...
    async def netns(self) -> Netns: ...
    async def clean_up(self, exec_dir: str, exit_path: str, cgroup: str = "") -> ExitRecord: ...


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a container's files are; the only place that knows.

    <data-root>/containers/<id>/{exit.json, <id>-json.log, hosts, hostname, resolv.conf}
    <exec-root>/containers/<id>/        the shim's own
    """

    data_root: str
    exec_root: str

    def container_dir(self, id: str) -> str:
        return f"{self.data_root}/containers/{id}"

    def exec_dir(self, id: str) -> str:
        return f"{self.exec_root}/containers/{id}"

    def exit_path(self, id: str) -> str:
        return f"{self.container_dir(id)}/exit.json"

    def log_path(self, id: str) -> str:
        return f"{self.container_dir(id)}/{id}-json.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """The collaborators of every verb on containers and execs."""

    registry: "Registry"
    database: Database
    images: "ImageStore"
    snapshotter: Snapshotter
    volumes: "VolumeStore"
    networks: "Networks"
    launcher: Launcher
    events: "EventLog"
    tasks: TaskScope
    locks: Keyed
    clock: Clock
    paths: Paths
    host: HostFacts
    log_watcher: DirectoryWatcher
