"""What the container services stand on, without processes, kernel objects or images: for tests of the verbs.

    async def scenario(world: World) -> None:
        created = await create(world.deps, ...)

    play(tmp_path, scenario)

The database and the snapshotter are the real ones, in the test's own directory.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sampan import errors
from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.exec import ExecConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.base.clock import Clock
from sampan.base.locks import Keyed
from sampan.base.tasks import TaskScope
from sampan.engine.containers.collaborators import Containers, Paths
from sampan.engine.containers.create import CreateRequest, create
from sampan.engine.containers.record import COMPONENT, MIGRATIONS
from sampan.engine.containers.registry import Registry
from sampan.engine.containers.start import start
from sampan.engine.execs.registry import ExecRegistry, Execs
from sampan.engine.host import HostFacts
from sampan.engine.idmapping import IdMapping
from sampan.engine.logs import DirectoryWatcher
from sampan.image.record import Image
from sampan.network.values import Endpoint, PortBinding
from sampan.oci.descriptor import Descriptor
from sampan.oci.image import ImageConfig, RunConfig
from sampan.oci.manifest import Manifest
from sampan.runtime.filter import Filter
from sampan.runtime.request import AttachStream, ExitRecord, LaunchRequest
from sampan.storage.metadata import Database
from sampan.storage.snapshot.overlay import OverlaySnapshotter


class FakeClock(Clock):
    """Stands still but for a nanosecond a look, so that instants differ."""

    def __init__(self) -> None:
        self._ns = itertools.count(1_700_000_000_000_000_000)

    def now_ns(self) -> int:
        return next(self._ns)


@dataclass(frozen=True, slots=True)
class Started:
    pid: int
    started_at_ns: int


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """What a shim was asked to run; the stream's descriptor is closed."""

    process: dict[str, Any]
    user: str
    groups: list[str]
    stream: AttachStream | None


class FakeShim:
    """A shim whose process ends when the test, or a signal, says so."""

    def __init__(self, launcher: "FakeLauncher", request: LaunchRequest, streams: list[AttachStream]) -> None:
        self._launcher = launcher
        self.request = request
        self.streams = streams
        self.signals: list[int] = []
        self.ignored_signals: set[int] = set()
        self.sizes: list[tuple[int, int]] = []
        self.is_discarded = False
        self.exit: asyncio.Future[ExitRecord] = asyncio.get_running_loop().create_future()
        self.execs: dict[str, asyncio.Future[int]] = {}
        self.exec_requests: dict[str, ExecRequest] = {}
        self.polled: dict[str, int] = {}
        self.pid = 4242

    async def start(self) -> Started:
        await asyncio.sleep(0)
        if self._launcher.start_error is not None:
            raise self._launcher.start_error
        return Started(self.pid, 1_700_000_000_000_000_000)

    def end(self, exit_code: int, *, oom_killed: bool = False) -> None:
        """Let the process end."""
        if not self.exit.done():
            record = ExitRecord(
                exit_code=exit_code,
                oom_killed=oom_killed,
                started_at_ns=1_700_000_000_000_000_000,
                finished_at_ns=1_700_000_002_500_000_000,
            )
            self.exit.set_result(record)
            for exec_ in self.execs.values():
                if not exec_.done():
                    exec_.set_result(137)

    async def wait_exit(self) -> ExitRecord:
        return await asyncio.shield(self.exit)

    async def attach(self, stream: AttachStream) -> None:
        self.streams.append(stream)

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
    ) -> int:
        if stream is not None:
            os.close(stream.fd)
        if self._launcher.start_error is not None:
            raise self._launcher.start_error
        self.execs[exec_id] = asyncio.get_running_loop().create_future()
        self.exec_requests[exec_id] = ExecRequest(process, user, groups, stream)
        return 4343

    async def poll_exec(self, exec_id: str) -> int | None:
        return self.polled.get(exec_id)

    async def wait_exec(self, exec_id: str) -> int:
        return await asyncio.shield(self.execs[exec_id])

    async def resize(self, height: int, width: int, *, exec_id: str | None = None) -> None:
        self.sizes.append((height, width))

    async def kill(self, signal: int, *, exec_id: str | None = None, all: bool = False) -> None:
        await asyncio.sleep(0)
        if self.exit.done():
            raise errors.NotFound("the process has ended")
        self.signals.append(signal)
        if signal not in self.ignored_signals and signal in (9, 15):
            self.end(128 + signal)

    async def discard(self) -> None:
        self.is_discarded = True


class FakeNetns:
    ns_fd = -1
    route_fd = -1

    def __init__(self, mapping: IdMapping | None = None) -> None:
        self.is_closed = False
        self.mapping = mapping

    def close(self) -> None:
        self.is_closed = True


class FakeLauncher:
    """Makes shims; `launch_error` and `start_error` make the stages fail."""

    def __init__(self) -> None:
        self.shims: list[FakeShim] = []
        self.namespaces: list[FakeNetns] = []
        self.launch_error: errors.Error | None = None
        self.start_error: errors.Error | None = None

    @property
    def shim(self) -> FakeShim:
        return self.shims[-1]

    async def launch(
        self, request: LaunchRequest, *, netns: Any = None, attaches: list[AttachStream] | None = None
    ) -> FakeShim:
        await asyncio.sleep(0)
        if self.launch_error is not None:
            for stream in attaches or ():
                os.close(stream.fd)
            raise self.launch_error
        self.shims.append(FakeShim(self, request, list(attaches or ())))
        return self.shims[-1]

    async def netns(self, mapping: IdMapping | None = None) -> FakeNetns:
        self.namespaces.append(FakeNetns(mapping))
        return self.namespaces[-1]

    async def clean_up(self, exec_dir: str, exit_path: str, cgroup: str = "") -> ExitRecord:
        return ExitRecord(exit_code=137, oom_killed=False, started_at_ns=0, finished_at_ns=1)


class FakeNetworks:
    """Endpoints in a dictionary; `error` makes a join fail."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.asked_ports: list[PortBinding] = []
        self.error: errors.Error | None = None

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
    ) -> Endpoint:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.asked_ports = list(ports)
        self.endpoints[container_id] = Endpoint(container_id, "n" * 64, mode, "e" * 64, "10.84.0.2", 24, "10.84.0.1")
        return self.endpoints[container_id]

    async def leave(self, container_id: str) -> None:
        await asyncio.sleep(0)
        self.endpoints.pop(container_id, None)

    def endpoint(self, container_id: str) -> Endpoint | None:
        return self.endpoints.get(container_id)


@dataclass(frozen=True, slots=True)
class FakeVolume:
    name: str
    path: str


class FakeVolumes:
    """Volumes without files."""

    def __init__(self) -> None:
        self.volumes: dict[str, FakeVolume] = {}

    async def ensure(
        self, name: str, *, driver: str, options: dict[str, str], labels: dict[str, str], anonymous: bool
    ) -> FakeVolume:
        name = name or f"anonymous-{len(self.volumes)}"
        return self.volumes.setdefault(name, FakeVolume(name, f"/volumes/{name}/_data"))

    def get(self, name: str) -> FakeVolume:
        if name not in self.volumes:
            raise errors.NotFound(f"get {name}: no such volume")
        return self.volumes[name]

    async def remove(self, name: str) -> None:
        if self.volumes.pop(name, None) is None:
            raise errors.NotFound(f"get {name}: no such volume")


class FakeImages:
    """One image, called "box"."""

    def __init__(self, config: RunConfig) -> None:
        self.image = Image(
            id="sha256:" + "1" * 64,
            config=ImageConfig(config=config, os="linux", architecture="amd64"),
            config_bytes=b"{}",
            manifest=Manifest(2, Descriptor(media_type="", digest="sha256:" + "1" * 64, size=2)),
            manifest_digest="sha256:" + "2" * 64,
            target_digest="sha256:" + "2" * 64,
            parent=None,
            tagged_ns=0,
            repo_tags=("box:latest",),
            repo_digests=(),
            layer_sizes=(),
        )

    def resolve(self, unsafe_text: str, /) -> Image:
        if unsafe_text not in ("box", self.image.id):
            raise errors.NotFound(f"No such image: {unsafe_text}:latest")
        return self.image


class FakeEvents:
    """A list of (type, action, id, attributes)."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str, dict[str, str]]] = []

    def publish(self, type: str, action: str, id: str, attributes: Mapping[str, str] | None = None) -> None:
        self.seen.append((type, action, id, dict(attributes or {})))

    @property
    def actions(self) -> list[str]:
        """Of containers only."""
        return [action for type, action, _, _ in self.seen if type == "container"]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The collaborators of the verbs, and the fakes among them by their own types."""

    deps: Containers
    execs: Execs
    launcher: FakeLauncher
    networks: FakeNetworks
    volumes: FakeVolumes
    events: FakeEvents
    image: RunConfig = field(default_factory=RunConfig)

    async def settled(self) -> None:
        """Until nothing is left to do but to wait for processes."""
        for _ in range(3):
            await self.deps.database.write(lambda transaction: None)
            for _ in range(20):
                await asyncio.sleep(0)


@asynccontextmanager
async def engine(folder: str, image: RunConfig | None = None) -> AsyncIterator[World]:
    """A world in `folder`."""
    config = image or RunConfig(cmd=["sh"], env=["PATH=/bin"])
    launcher, networks, volumes, events = FakeLauncher(), FakeNetworks(), FakeVolumes(), FakeEvents()
    database = Database(os.path.join(folder, "meta.db"))
    database.open()
    snapshotter = OverlaySnapshotter(os.path.join(folder, "snapshots"), database)
    watcher = DirectoryWatcher()
    try:
        database.migrate(COMPONENT, MIGRATIONS)
        snapshotter.open()
        async with TaskScope("test") as tasks:
            deps = Containers(
                registry=Registry(),
                database=database,
                images=FakeImages(config),
                snapshotter=snapshotter,
                volumes=volumes,
                networks=networks,
                launcher=launcher,
                events=events,
                tasks=tasks,
                locks=Keyed(),
                clock=FakeClock(),
                paths=Paths(os.path.join(folder, "data"), os.path.join(folder, "exec")),
                host=HostFacts(hostname="host", find_devices=lambda path: []),
                log_watcher=watcher,
            )
            yield World(
                deps=deps,
                execs=Execs(containers=deps, registry=ExecRegistry()),
                launcher=launcher,
                networks=networks,
                volumes=volumes,
                events=events,
                image=config,
            )
    finally:
        watcher.close()
        snapshotter.close()
        database.close()


def asked(
    *, name: str = "", host: HostConfig | None = None, networking: NetworkingConfig | None = None, **config: Any
) -> CreateRequest:
    """A create request for the image "box"."""
    return CreateRequest(
        ContainerConfig(**{"image": "box", **config}), host or HostConfig(), networking or NetworkingConfig(), name=name
    )


def play(folder: Path, scenario: Callable[[World], Awaitable[None]], image: RunConfig | None = None) -> None:
    """Run a scenario in a world of its own; the timeout only ends one that would never end."""

    async def main() -> None:
        async with asyncio.timeout(60), engine(str(folder), image) as world:
            await scenario(world)

    asyncio.run(main())


ECHO = ExecConfig(cmd=["echo", "a"], attach_stdout=True)


def play_execs(folder: Path, scenario: Callable[[World], Awaitable[None]]) -> None:
    """Run a scenario in a world with a running container, "web"."""

    async def with_container(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        await scenario(world)

    play(folder, with_container)
