"""POST /containers/{id}/attach: a client's connection joined to the container's stdio.

After the 101 the connection's socket goes down to the shim, which speaks Docker's stream format on it; no byte passes
through here, but for the replayed log. A client that attaches before the start is parked with the container:

    client                API server              engine                    shim
      ├── POST attach ──────►├── attach() ───────────►│ session registered
      │◄── 101 ──────────────┤── session.connect(fd) ─►│ parked
      ├── POST start ───────►├── start() ────────────►│ waits for registered sessions
      │                      │                        ├── launch(parked fds) ──►│
Invariant   A start never overtakes the stream of an attach that was accepted before it.
"""

import asyncio
import logging
import os
import socket
from dataclasses import dataclass
from types import TracebackType

from sampan import errors
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.logs import logs
from sampan.engine.containers.notify import notify
from sampan.engine.containers.registry import Container
from sampan.engine.containers.states import State
from sampan.engine.logs import LogsRequest
from sampan.runtime.request import AttachStream

_log = logging.getLogger("sampan.containers")

DEFAULT_DETACH_KEYS = b"\x10\x11"  # ctrl-p,ctrl-q


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachRequest:
    """The query of an attach; `detach_keys` as the user writes them ("ctrl-p,ctrl-q"), empty for the default."""

    stream: bool = False
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    logs: bool = False
    detach_keys: str = ""


def parse_detach_keys(text: str) -> bytes:
    """The bytes of "ctrl-a", "x" and their like, joined by commas."""
    found = bytearray()
    for key in text.split(","):
        if len(key) == 1 and key.isascii():
            found += key.encode()
        elif len(key) == 6 and key.startswith("ctrl-") and (key[5].islower() or key[5] in "@[\\]^_"):
            found.append(ord(key[5].upper()) & 0x1F)
        else:
            raise errors.InvalidArgument(f"Invalid detach keys ({text}) provided")
    return bytes(found)


class Session:
    """An accepted attach, on its way to its stream: `connect` or `close` it."""

    def __init__(self, deps: Containers, container: Container, request: AttachRequest, detach_keys: bytes) -> None:
        self.tty = container.record.config.tty
        self._deps = deps
        self._container = container
        self._request = request
        self._detach_keys = detach_keys
        self._arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        container.connecting.add(self._arrival)

    def close(self) -> None:
        """The stream is not going to come, or has come; idempotent."""
        if not self._arrival.done():
            self._arrival.set_result(None)
        self._container.connecting.discard(self._arrival)

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def connect(self, fd: int, initial: bytes = b"") -> None:
        """Take the client's socket over; `initial` is what had been read from it after the request."""
        try:
            if self._request.logs:
                await self._replay(fd)
        except BaseException:
            os.close(fd)
            self.close()
            raise
        if not self._request.stream:
            os.close(fd)
            self.close()
            return
        await self._join(self._stream(fd, initial))

    def _stream(self, fd: int, initial: bytes) -> AttachStream:
        return AttachStream(
            fd,
            stdin=self._request.stdin and self._container.record.config.open_stdin,
            stdout=self._request.stdout,
            stderr=self._request.stderr,
            framed=not self.tty,
            detach_keys=self._detach_keys if self.tty else b"",
            initial=initial,
        )

    async def _join(self, stream: AttachStream) -> None:
        """Hand the stream to the shim, or park it for the next start, which looks before and after it launches."""
        container = self._container
        shim = container.shim
        if shim is None:
            container.parked.append(stream)
            if container.state in (State.REMOVING, State.DEAD):
                container.drop_parked()
        self.close()
        if shim is None:
            return
        try:
            await shim.attach(stream)
        except errors.Error as error:
            # The client has its 101: all there is to say is the end of the stream, which has been closed.
            _log.debug("container %s ended while a client attached: %s", container.id[:12], error)

    async def _replay(self, fd: int) -> None:
        request = LogsRequest(stdout=self._request.stdout, stderr=self._request.stderr)
        loop = asyncio.get_running_loop()
        with socket.socket(fileno=os.dup(fd)) as sock:
            sock.setblocking(False)
            async for piece in await logs(self._deps, self._container.id, request):
                await loop.sock_sendall(sock, piece)


async def attach(deps: Containers, ref: str, request: AttachRequest) -> Session:
    """Check the request and register the session; the caller then answers 101 and calls `connect`."""
    container = deps.registry.get(ref)
    keys = parse_detach_keys(request.detach_keys) if request.detach_keys else DEFAULT_DETACH_KEYS
    if container.state is State.PAUSED:
        raise errors.Conflict(f"container {ref} is paused, unpause the container before attach")
    if container.state is State.RESTARTING:
        raise errors.Conflict(f"container {ref} is restarting, wait until the container is running")
    session = Session(deps, container, request, keys)
    notify(deps, container, "attach")
    return session
