"""What the container verbs ask of the parts below and beside them, and the collaborators they are given.

The Protocols are declared here, by their consumer; the launcher, the shim's client, storage and network implement them,
and `tests/fakes` stands in for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sampan.base.clock import Clock
from sampan.base.locks import Keyed
from sampan.base.tasks import TaskScope
from sampan.engine.host import HostFacts
from sampan.engine.idmapping import IdMapping
from sampan.engine.logs import DirectoryWatcher
from sampan.engine.runtimes import Runtimes
from sampan.image.record import Image
from sampan.network.values import Endpoint, PortBinding
from sampan.runtime.filter import Filter
from sampan.runtime.request import AttachStream, ExitRecord, LaunchRequest
from sampan.storage.metadata import Database
from sampan.storage.snapshot.contract import Snapshotter

if TYPE_CHECKING:
    from sampan.engine.containers.registry import Registry


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
        filter: Filter | None = None,
    ) -> int: ...
    async def wait_exec(self, exec_id: str) -> int: ...
    async def poll_exec(self, exec_id: str) -> int | None: ...
    async def resize(self, height: int, width: int, *, exec_id: str | None = None) -> None: ...
    async def kill(self, signal: int, *, exec_id: str | None = None, all: bool = False) -> None: ...
    async def discard(self) -> None: ...


class Launcher(Protocol):
    """The process that forks shims."""

    async def launch(
        self, request: LaunchRequest, *, netns: Any = None, attaches: list[AttachStream] | None = None
    ) -> Shim: ...
    async def netns(self, mapping: IdMapping | None = None) -> Netns: ...
    async def clean_up(self, exec_dir: str, exit_path: str, cgroup: str = "") -> ExitRecord: ...


class Images(Protocol):
    """The image store, as far as containers need it."""

    def resolve(self, unsafe_text: str, /) -> Image: ...


class Volume(Protocol):
    """A volume's name, and the directory of its files."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...


class Volumes(Protocol):
    """The volume store; an empty name asks for a new anonymous volume."""

    async def ensure(
        self, name: str, *, driver: str, options: dict[str, str], labels: dict[str, str], anonymous: bool
    ) -> Volume: ...
    def get(self, name: str) -> Volume: ...
    async def remove(self, name: str) -> None: ...


class Networks(Protocol):
    """The networks, as far as containers need them."""

    async def join(
        self,
        container_id: str,
        *,
        mode: str,
        ports: Sequence[PortBinding],
        netns: Any,
        hostname: str,
        mac: str | None = None,
        name: str = "",
    ) -> Endpoint: ...
    async def leave(self, container_id: str) -> None: ...
    def endpoint(self, container_id: str) -> Endpoint | None: ...


class Events(Protocol):
    """Where events go."""

    def publish(self, type: str, action: str, id: str, attributes: Mapping[str, str] | None = None) -> None: ...


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
    images: Images
    snapshotter: Snapshotter
    volumes: Volumes
    networks: Networks
    launcher: Launcher
    events: Events
    tasks: TaskScope
    locks: Keyed
    clock: Clock
    paths: Paths
    host: HostFacts
    log_watcher: DirectoryWatcher
    runtimes: Runtimes = field(default_factory=Runtimes)
