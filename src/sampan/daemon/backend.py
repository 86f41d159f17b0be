"""The engine as the API server wants it (`api.server.backend`): each method forwards to one verb."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sampan.api.server import backend as wanted
from sampan.api.server.query import Filters
from sampan.api.wire.container import ContainerInspect, ContainerSummary, CreateResponse
from sampan.api.wire.exec import ExecConfig, ExecInspect
from sampan.api.wire.image import DeletedImage, HistoryItem, ImageInspect, ImageSummary
from sampan.api.wire.network import NetworkInspect
from sampan.api.wire.system import Info, Version
from sampan.base.tasks import run_blocking
from sampan.engine import images, networks, system
from sampan.engine.containers.attach import AttachRequest, attach
from sampan.engine.containers.attach import Session as AttachSession
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.create import CreateRequest, create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.kill import kill
from sampan.engine.containers.list import list_
from sampan.engine.containers.logs import logs
from sampan.engine.containers.remove import remove
from sampan.engine.containers.resize import resize
from sampan.engine.containers.restart import restart
from sampan.engine.containers.start import start
from sampan.engine.containers.stop import stop
from sampan.engine.containers.wait import Waiter, begin_wait
from sampan.engine.engine import Engine
from sampan.engine.eventlog import EventStream
from sampan.engine.execs import create as exec_create
from sampan.engine.execs import inspect as exec_inspect
from sampan.engine.execs import resize as exec_resize
from sampan.engine.execs import start as exec_start
from sampan.engine.execs.registry import Execs
from sampan.engine.logs import LogsRequest, LogStream


@dataclass(frozen=True, slots=True)
class ContainerBackend:
    deps: Containers

    async def create(self, wanted: wanted.NewContainer) -> CreateResponse:
        created = await create(
            self.deps,
            CreateRequest(wanted.config, wanted.host, wanted.networking, name=wanted.name, platform=wanted.platform),
        )
        return CreateResponse(id=created.id, warnings=created.warnings)

    async def start(self, ref: str) -> None:
        await start(self.deps, ref)

    async def stop(self, ref: str, *, signal: str, timeout_s: int | None) -> None:
        await stop(self.deps, ref, signal=signal, timeout_s=timeout_s)

    async def restart(self, ref: str, *, signal: str, timeout_s: int | None) -> None:
        await restart(self.deps, ref, signal=signal, timeout_s=timeout_s)

    async def kill(self, ref: str, *, signal: str) -> None:
        await kill(self.deps, ref, signal=signal)

    async def remove(self, ref: str, *, force: bool, volumes: bool) -> None:
        await remove(self.deps, ref, force=force, volumes=volumes)

    async def resize(self, ref: str, *, height: int, width: int) -> None:
        await resize(self.deps, ref, height=height, width=width)

    async def inspect(self, ref: str, *, size: bool) -> ContainerInspect:
        return await inspect(self.deps, ref, size=size)

    async def begin_wait(self, ref: str, *, condition: str) -> Waiter:
        return begin_wait(self.deps, ref, condition=condition)

    async def logs(self, ref: str, options: wanted.LogsOptions) -> LogStream:
        request = LogsRequest(
            follow=options.follow,
            stdout=options.stdout,
            stderr=options.stderr,
            since_ns=options.since_ns or 0,
            until_ns=options.until_ns or 0,
            timestamps=options.timestamps,
            details=options.details,
            tail=options.tail,
        )
        return await logs(self.deps, ref, request)

    async def attach(self, ref: str, options: wanted.AttachOptions) -> AttachSession:
        request = AttachRequest(
            stream=options.stream,
            stdin=options.stdin,
            stdout=options.stdout,
            stderr=options.stderr,
            logs=options.logs,
            detach_keys=options.detach_keys,
        )
        return await attach(self.deps, ref, request)

    async def list_(self, *, all: bool, limit: int | None, size: bool, filters: Filters) -> Sequence[ContainerSummary]:
        return await list_(self.deps, all=all, limit=limit, size=size, filters=filters)


@dataclass(frozen=True, slots=True)
class ExecBackend:
    deps: Execs

    async def create(self, ref: str, config: ExecConfig) -> str:
        return await exec_create.create(self.deps, ref, config)

    async def start(self, exec_id: str, *, tty: bool, console_size: tuple[int, int] | None) -> exec_start.Session:
        return await exec_start.start(self.deps, exec_id, tty=tty, console_size=console_size)

    async def start_detached(self, exec_id: str) -> None:
        await exec_start.start_detached(self.deps, exec_id)

    async def inspect(self, exec_id: str) -> ExecInspect:
        return await exec_inspect.inspect(self.deps, exec_id)

    async def resize(self, exec_id: str, *, height: int, width: int) -> None:
        await exec_resize.resize(self.deps, exec_id, height=height, width=width)


@dataclass(frozen=True, slots=True)
class ImageBackend:
    deps: images.Images

    async def list_(self, *, all: bool, filters: Filters) -> Sequence[ImageSummary]:
        return await images.list_images(self.deps, all=all, filters=filters)

    async def inspect(self, ref: str) -> ImageInspect:
        return await images.inspect_image(self.deps, ref)

    async def history(self, ref: str) -> Sequence[HistoryItem]:
        return await images.history(self.deps, ref)

    async def tag(self, ref: str, *, repository: str, tag: str) -> None:
        await images.tag(self.deps, ref, repository=repository, tag=tag)

    async def remove(self, ref: str, *, force: bool, prune: bool) -> Sequence[DeletedImage]:
        return await images.remove(self.deps, ref, force=force, prune=prune)

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
        return await images.import_image(
            self.deps,
            archive,
            repository=repository,
            tag=tag,
            message=message,
            changes=changes,
            platform=platform,
        )

    def load(self, archive: AsyncIterator[bytes], *, quiet: bool) -> AsyncIterator[dict[str, object]]:
        return images.load(self.deps, archive, quiet=quiet)

    async def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        return await images.save(self.deps, refs)


@dataclass(frozen=True, slots=True)
class NetworkBackend:
    deps: networks.Networks

    async def list_(self, *, filters: Filters) -> Sequence[NetworkInspect]:
        return networks.list_networks(self.deps, filters)

    async def inspect(self, ref: str) -> NetworkInspect:
        return networks.inspect_network(self.deps, ref)


@dataclass(frozen=True, slots=True)
class SystemBackend:
    deps: system.System

    async def version(self) -> Version:
        return system.version(self.deps)

    async def info(self) -> Info:
        return await run_blocking("disk", system.info, self.deps)

    def events(self, *, since_ns: int | None, until_ns: int | None, filters: Filters) -> EventStream:
        return system.events(self.deps, since_ns=since_ns, until_ns=until_ns, filters=filters)


@dataclass(frozen=True, slots=True)
class EngineBackend:
    """All of the engine."""

    containers: ContainerBackend
    execs: ExecBackend
    images: ImageBackend
    networks: NetworkBackend
    system: SystemBackend


def backend_of(engine: Engine) -> EngineBackend:
    return EngineBackend(
        ContainerBackend(engine.containers),
        ExecBackend(engine.execs),
        ImageBackend(engine.images),
        NetworkBackend(engine.networks),
        SystemBackend(engine.system),
    )
