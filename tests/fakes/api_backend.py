"""A backend without an engine: answers from fixed values, notes what it was asked, and echoes hijacked connections."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from typing import Any

from sampan import errors
from sampan.api.server.backend import AttachOptions, LogsOptions, NewContainer
from sampan.api.server.query import Filters
from sampan.api.wire.container import ContainerInspect, ContainerSummary, CreateResponse, WaitResponse
from sampan.api.wire.event import Actor, Event
from sampan.api.wire.exec import ExecConfig, ExecInspect
from sampan.api.wire.image import DeletedImage, HistoryItem, ImageInspect, ImageSummary
from sampan.api.wire.system import Info, Version

KNOWN = "c1"


def check(ref: str, kind: str = "container") -> None:
    if ref != KNOWN:
        raise errors.NotFound(f"No such {kind}: {ref}")


class FakeSession:
    """Echoes until the client's end of input, then closes."""

    def __init__(self, backend: "FakeBackend", *, tty: bool) -> None:
        self.backend = backend
        self.tty = tty
        self.closed = False

    async def connect(self, fd: int, initial: bytes) -> None:
        self.backend.initial = initial
        self.backend.sockets.append(socket.socket(fileno=fd))
        self.backend.connected.set()
        if self.backend.echo:
            self.backend.tasks.append(asyncio.get_running_loop().create_task(self._echo(initial)))

    async def _echo(self, initial: bytes) -> None:
        loop = asyncio.get_running_loop()
        with self.backend.sockets[-1] as sock:
            assert not os.get_inheritable(sock.fileno())
            sock.setblocking(False)
            await loop.sock_sendall(sock, initial)
            while piece := await loop.sock_recv(sock, 65536):
                await loop.sock_sendall(sock, piece)
            await loop.sock_sendall(sock, b"<end>")

    def close(self) -> None:
        self.closed = True


class FakeWaiter:
    def __init__(self, backend: "FakeBackend") -> None:
        self.backend = backend

    def close(self) -> None:
        self.backend.note("waiter closed")

    async def result(self) -> WaitResponse:
        try:
            await self.backend.exited.wait()
        except asyncio.CancelledError:
            self.backend.cancelled.set()
            raise
        return WaitResponse(status_code=3)


class FakeLogs:
    def __init__(self, backend: "FakeBackend", *, tty: bool) -> None:
        self.backend = backend
        self.tty = tty
        self._pieces = self._read()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        self.backend.note("logs closed")
        await self._pieces.aclose()

    async def _read(self) -> AsyncGenerator[bytes, None]:
        for piece in self.backend.log_pieces:
            yield piece
            await asyncio.sleep(0)
        try:
            await self.backend.exited.wait()
        except asyncio.CancelledError:
            self.backend.cancelled.set()
            raise


class FakeContainers:
    def __init__(self, backend: "FakeBackend") -> None:
        self.backend = backend

    async def create(self, wanted: NewContainer) -> CreateResponse:
        self.backend.note("create", wanted)
        return CreateResponse(id="f" * 64)

    async def start(self, ref: str) -> None:
        check(ref)
        self.backend.note("start", ref)
        await self.backend.raise_failure()

    async def stop(self, ref: str, *, signal: str, timeout_s: int | None) -> None:
        check(ref)
        self.backend.note("stop", signal, timeout_s)
        await self.backend.raise_failure()

    async def restart(self, ref: str, *, signal: str, timeout_s: int | None) -> None:
        check(ref)
        self.backend.note("restart", signal, timeout_s)

    async def kill(self, ref: str, *, signal: str) -> None:
        check(ref)
        self.backend.note("kill", signal)

    async def remove(self, ref: str, *, force: bool, volumes: bool) -> None:
        check(ref)
        self.backend.note("remove", force, volumes)

    async def resize(self, ref: str, *, height: int, width: int) -> None:
        check(ref)
        self.backend.note("resize", height, width)

    async def inspect(self, ref: str, *, size: bool) -> ContainerInspect:
        check(ref)
        return ContainerInspect(id=KNOWN, size_rw=1 if size else None)

    async def begin_wait(self, ref: str, *, condition: str) -> FakeWaiter:
        check(ref)
        self.backend.note("wait", condition)
        return FakeWaiter(self.backend)

    async def logs(self, ref: str, options: LogsOptions) -> FakeLogs:
        check(ref)
        self.backend.note("logs", options)
        return FakeLogs(self.backend, tty=self.backend.tty)

    async def attach(self, ref: str, options: AttachOptions) -> FakeSession:
        check(ref)
        self.backend.note("attach", options)
        self.backend.session = FakeSession(self.backend, tty=self.backend.tty)
        return self.backend.session

    async def list_(self, *, all: bool, limit: int | None, size: bool, filters: Filters) -> Sequence[ContainerSummary]:
        self.backend.note("list", all, limit, size, filters)
        return [ContainerSummary(id=KNOWN)]


class FakeExecs:
    def __init__(self, backend: "FakeBackend") -> None:
        self.backend = backend

    async def create(self, ref: str, config: ExecConfig) -> str:
        check(ref)
        self.backend.note("exec", config)
        return "e" * 64

    async def start(self, exec_id: str, *, tty: bool, console_size: tuple[int, int] | None) -> FakeSession:
        check(exec_id, "exec instance")
        self.backend.note("exec start", tty, console_size)
        return FakeSession(self.backend, tty=tty)

    async def start_detached(self, exec_id: str) -> None:
        check(exec_id, "exec instance")
        self.backend.note("exec detached")

    async def inspect(self, exec_id: str) -> ExecInspect:
        check(exec_id, "exec instance")
        return ExecInspect(id=exec_id)

    async def resize(self, exec_id: str, *, height: int, width: int) -> None:
        check(exec_id, "exec instance")
        self.backend.note("exec resize", height, width)


class FakeImages:
    def __init__(self, backend: "FakeBackend") -> None:
        self.backend = backend

    async def list_(self, *, all: bool, filters: Filters) -> Sequence[ImageSummary]:
        self.backend.note("images", all, filters)
        return [ImageSummary(id="sha256:1", size=5, containers=2)]

    async def inspect(self, ref: str) -> ImageInspect:
        self._check(ref)
        return ImageInspect(id="sha256:1", size=5)

    async def history(self, ref: str) -> Sequence[HistoryItem]:
        self._check(ref)
        return [HistoryItem(id="sha256:1")]

    async def tag(self, ref: str, *, repository: str, tag: str) -> None:
        self._check(ref)
        self.backend.note("tag", ref, repository, tag)

    async def remove(self, ref: str, *, force: bool, prune: bool) -> Sequence[DeletedImage]:
        self._check(ref)
        self.backend.note("rmi", ref, force, prune)
        return [DeletedImage(untagged=ref)]

    async def import_(self, archive: AsyncIterator[bytes], **wanted: Any) -> str:
        self.backend.note("import", sum([len(piece) async for piece in archive]), wanted)
        return "sha256:1"

    async def load(self, archive: AsyncIterator[bytes], *, quiet: bool) -> AsyncGenerator[dict[str, object], None]:
        if self.backend.load_gate is not None:
            await self.backend.load_gate.wait()
        size_bytes = 0
        async for piece in archive:
            size_bytes += len(piece)
        yield {"stream": f"{size_bytes} {quiet}\n"}
        await self.backend.raise_failure()

    async def save(self, refs: Sequence[str]) -> AsyncIterable[bytes]:
        for ref in refs:
            self._check(ref)

        async def pieces() -> AsyncGenerator[bytes, None]:
            for ref in refs:
                yield ref.encode() * 1000

        return pieces()

    def _check(self, ref: str) -> None:
        if not ref.startswith(("img", "host:5000/a/b")):
            raise errors.NotFound(f"No such image: {ref}:latest")


class FakeSystem:
    def __init__(self, backend: "FakeBackend") -> None:
        self.backend = backend

    async def version(self) -> Version:
        return Version(version="1", api_version="1.51")

    async def info(self) -> Info:
        return Info(id="i")

    async def events(
        self, *, since_ns: int | None, until_ns: int | None, filters: Filters
    ) -> AsyncGenerator[Event, None]:
        self.backend.note("events", since_ns, until_ns, filters)
        yield Event(type="container", action="start", actor=Actor(id="1"))
        if until_ns is None:
            try:
                await self.backend.exited.wait()
            except asyncio.CancelledError:
                self.backend.cancelled.set()
                raise


class FakeBackend:
    def __init__(self) -> None:
        self.containers = FakeContainers(self)
        self.execs = FakeExecs(self)
        self.images = FakeImages(self)
        self.system = FakeSystem(self)
        self.calls: list[tuple[Any, ...]] = []
        self.failure: Exception | None = None
        self.exited = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.connected = asyncio.Event()
        self.load_gate: asyncio.Event | None = None
        self.log_pieces = [b"one", b"two"]
        self.tty = False
        self.echo = True
        self.initial = b""
        self.session: FakeSession | None = None
        self.sockets: list[socket.socket] = []
        self.tasks: list[asyncio.Task[None]] = []

    def note(self, *call: Any) -> None:
        self.calls.append(call)

    async def raise_failure(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
