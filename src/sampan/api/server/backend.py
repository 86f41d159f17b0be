"""What the API server needs of an engine.

Each method maps to one endpoint or less. References (`ref`) are names, ids or unambiguous beginnings of ids, as the
client wrote them; the engine resolves and checks them. Errors are those of `sampan.errors`. What is iterated is closed
afterwards (`aclose` of its iterator), however the iteration ends.
Units   Instants in nanoseconds since 1970; timeouts in whole seconds; terminal sizes in characters.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sampan.api.server.query import Filters
from sampan.api.wire.container import (
    ContainerConfig,
    ContainerInspect,
    ContainerSummary,
    CreateResponse,
    WaitResponse,
)
from sampan.api.wire.event import Event
from sampan.api.wire.exec import ExecConfig, ExecInspect
from sampan.api.wire.host import HostConfig
from sampan.api.wire.image import DeletedImage, HistoryItem, ImageInspect, ImageSummary
from sampan.api.wire.network import NetworkingConfig, NetworkInspect
from sampan.api.wire.system import Info, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContainer:
    name: str
    platform: str
    config: ContainerConfig
    host: HostConfig
    networking: NetworkingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachOptions:
    stdin: bool
    stdout: bool
    stderr: bool
    stream: bool
    logs: bool
    detach_keys: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsOptions:
    """`tail` is the number of last lines, None for all."""

    stdout: bool
    stderr: bool
    follow: bool
    timestamps: bool
    details: bool
    since_ns: int | None
    until_ns: int | None
    tail: int | None


class Session(Protocol):
    """Streams that were agreed to but not yet connected."""

    @property
    def tty(self) -> bool: ...

    async def connect(self, fd: int, initial: bytes) -> None:
        """Take the client's connection (`fd` is the session's from now on, whatever happens) and what it said."""

    def close(self) -> None:
        """Give up: the client went away before `connect`."""


class Waiter(Protocol):
    """Watches from its making on."""

    async def result(self) -> WaitResponse: ...
    def close(self) -> None: ...


class LogStream(Protocol):
    """Log output in the format of the wire: framed, or raw when the container has a terminal."""

    @property
    def tty(self) -> bool: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Containers(Protocol):
    async def create(self, wanted: NewContainer) -> CreateResponse: ...
    async def start(self, ref: str) -> None: ...
    async def stop(self, ref: str, *, signal: str, timeout_s: int | None) -> None: ...
    async def restart(self, ref: str, *, signal: str, timeout_s: int | None) -> None: ...
    async def kill(self, ref: str, *, signal: str) -> None: ...
    async def remove(self, ref: str, *, force: bool, volumes: bool) -> None: ...
    async def resize(self, ref: str, *, height: int, width: int) -> None: ...
    async def inspect(self, ref: str, *, size: bool) -> ContainerInspect: ...
    async def begin_wait(self, ref: str, *, condition: str) -> Waiter: ...
    async def logs(self, ref: str, options: LogsOptions) -> LogStream: ...
    async def attach(self, ref: str, options: AttachOptions) -> Session: ...
    async def list_(
        self, *, all: bool, limit: int | None, size: bool, filters: Filters
    ) -> Sequence[ContainerSummary]: ...


class Execs(Protocol):
    async def create(self, ref: str, config: ExecConfig) -> str: ...

    async def start(self, exec_id: str, *, tty: bool, console_size: tuple[int, int] | None) -> Session:
        """An exec whose streams the caller connects; the process starts with them."""

    async def start_detached(self, exec_id: str) -> None:
        """Returns when the process runs."""

    async def inspect(self, exec_id: str) -> ExecInspect: ...
    async def resize(self, exec_id: str, *, height: int, width: int) -> None: ...


class Images(Protocol):
    """`import_`, `load` and `save` are streams on both sides: nothing is held in memory."""

    async def list_(self, *, all: bool, filters: Filters) -> Sequence[ImageSummary]: ...
    async def inspect(self, ref: str) -> ImageInspect: ...
    async def history(self, ref: str) -> Sequence[HistoryItem]: ...
    async def tag(self, ref: str, *, repository: str, tag: str) -> None: ...
    async def remove(self, ref: str, *, force: bool, prune: bool) -> Sequence[DeletedImage]: ...

    async def import_(
        self,
        archive: AsyncIterator[bytes],
        *,
        repository: str,
        tag: str,
        message: str,
        changes: list[str],
        platform: str,
    ) -> str:
        """The new image's id."""

    def load(self, archive: AsyncIterator[bytes], *, quiet: bool) -> AsyncIterable[Mapping[str, object]]:
        """Progress messages: {"stream": "Loaded image: …"}."""

    async def save(self, refs: Sequence[str]) -> AsyncIterable[bytes]:
        """Checks that every reference exists, then hands out the archive."""


class System(Protocol):
    async def version(self) -> Version: ...
    async def info(self) -> Info: ...

    def events(self, *, since_ns: int | None, until_ns: int | None, filters: Filters) -> AsyncIterable[Event]:
        """Past events when a bound is given, then those to come; subscribed at once."""


class Networks(Protocol):
    async def list_(self, *, filters: Filters) -> Sequence[NetworkInspect]: ...
    async def inspect(self, ref: str) -> NetworkInspect: ...


class Backend(Protocol):
    @property
    def containers(self) -> Containers: ...
    @property
    def execs(self) -> Execs: ...
    @property
    def images(self) -> Images: ...
    @property
    def networks(self) -> Networks: ...
    @property
    def system(self) -> System: ...
