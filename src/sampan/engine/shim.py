"""The daemon's side of a shim: requests, answers, events; the daemon may come and go.

`Channel` is one SOCK_SEQPACKET connection with requests numbered by "seq" (`runtime.message`). `Shim` gives them names.
A shim that dies is noticed by the end of its connection; what it left is then removed by a helper of the launcher, and
the exit record that comes out is the container's end like any other.
"""

import asyncio
import errno
import itertools
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from sampan import errors
from sampan.runtime import message
from sampan.runtime.filter import Filter
from sampan.runtime.ground import SOCKET
from sampan.runtime.request import AttachStream, ExitRecord

CleanUp = Callable[[str, str], Coroutine[Any, Any, ExitRecord]]


def raise_error(found: dict[str, Any]) -> NoReturn:
    """Raise the error class that another process named."""
    if found["class"] == "StartFailed":
        raise errors.StartFailed(found["message"], exit_code=found["exit_code"])
    kind = getattr(errors, found["class"], errors.Internal)
    raise kind(found["message"])


def settle(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def _look_at(waiting: "asyncio.Future[Any]") -> None:
    """Take note of a failure that perhaps nobody will ever ask for."""
    if not waiting.cancelled():
        waiting.exception()


class Channel:
    """Requests and answers over one connection; `on_event` hears the rest, `on_close` the end."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        on_close: Callable[[], None],
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_close = on_close
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._blocked: list[asyncio.Future[None]] = []
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._hear)

    @property
    def is_open(self) -> bool:
        return self._sock.fileno() >= 0

    def _hear(self) -> None:
        while self.is_open:
            try:
                found = message.receive(self._sock)
            except BlockingIOError:
                return
            except (OSError, ValueError):
                found = None
            if found is None:
                self.close()
                self._on_close()
                return
            self._deliver(*found)

    def _deliver(self, body: dict[str, Any], fds: list[int]) -> None:
        waiting = self._waiting.pop(body["seq"], None) if "seq" in body else None
        if waiting is not None and not waiting.done():
            waiting.set_result((body, fds))
            return
        for fd in fds:
            os.close(fd)
        if "event" in body and self._on_event is not None:
            self._on_event(body)

    async def send(self, body: message.Message, fds: list[int], *, kind: bytes = b"") -> None:
        """Send one message, waiting while the socket is full; the descriptors stay the caller's."""
        while True:
            if not self.is_open:
                raise ConnectionResetError(errno.ECONNRESET, "the other side has gone")
            try:
                message.send(self._sock, body, fds, kind=kind)
                return
            except BlockingIOError:
                await self._wait_writable()

    async def _wait_writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._blocked.append(ready)
        self._loop.add_writer(self._sock.fileno(), self._unblock)
        await ready

    def _unblock(self) -> None:
        """The socket takes more, or is about to be closed: let all who wait for it try again."""
        self._loop.remove_writer(self._sock.fileno())
        blocked, self._blocked = self._blocked, []
        for ready in blocked:
            settle(ready)

    def ask_ahead(
        self, body: message.Message, *, kind: bytes
    ) -> "asyncio.Future[tuple[dict[str, Any], list[int]]] | None":
        """Ask for something that will be wanted later; None when the socket takes no more now."""
        number = next(self._numbers)
        try:
            message.send(self._sock, {**body, "seq": number}, kind=kind)
        except OSError:
            return None
        waiting: asyncio.Future[tuple[dict[str, Any], list[int]]] = self._loop.create_future()
        waiting.add_done_callback(_look_at)
        self._waiting[number] = waiting
        return waiting

    async def ask(
        self, body: message.Message, fds: list[int] | None = None, *, kind: bytes = b""
    ) -> tuple[dict[str, Any], list[int]]:
        """Send a request and wait for its answer; Unavailable when the other side goes away first."""
        number = next(self._numbers)
        waiting: asyncio.Future[tuple[dict[str, Any], list[int]]] = self._loop.create_future()
        if not self.is_open:
            raise errors.Unavailable(f"{body.get('do', 'launcher')}: the other side has gone")
        self._waiting[number] = waiting
        try:
            await self.send({**body, "seq": number}, fds or [], kind=kind)
            found, received = await waiting
        except OSError as error:
            raise errors.Unavailable(f"{body.get('do', 'launcher')}: {error.strerror}") from error
        finally:
            self._waiting.pop(number, None)
        if "error" in found:
            raise_error(found["error"])
        return found["ok"], received

    def close(self) -> None:
        """End the connection; who still waits gets Unavailable. `on_close` is not called for it."""
        if self.is_open:
            self._loop.remove_reader(self._sock.fileno())
            self._unblock()
            self._sock.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(errors.Unavailable("the other side has gone"))
        self._waiting.clear()


class Started:
    """What `start` found: init's pid as the host sees it, and when."""

    __slots__ = ("pid", "started_at_ns")

    def __init__(self, pid: int, started_at_ns: int) -> None:
        self.pid = pid
        self.started_at_ns = started_at_ns


class Shim:
    """One running (or not yet started) container's supervisor."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        exec_dir: str,
        exit_path: str,
        clean_up: CleanUp,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._exec_dir = exec_dir
        self._exit_path = exit_path
        self._clean_up = clean_up
        self._on_started = on_started
        self._is_clean = False  # a start has failed, and whoever failed it has removed everything
        self._exit: asyncio.Future[ExitRecord | None] = loop.create_future()
        self._execs: dict[str, asyncio.Future[int]] = {}
        self._channel = Channel(sock, on_close=self._gone, on_event=self._heard)
        self.pid = 0
        self.started_at_ns = 0

    @classmethod
    async def connect(cls, exec_dir: str, exit_path: str, clean_up: CleanUp) -> "Shim | None":
        """Connect to a shim that an earlier daemon launched; None when none listens in `exec_dir`."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            folder = os.open(exec_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sock.connect(f"/proc/self/fd/{folder}/{SOCKET}")
            finally:
                os.close(folder)
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            return None
        shim = cls(sock, exec_dir=exec_dir, exit_path=exit_path, clean_up=clean_up)
        try:
            found, _ = await shim._channel.ask({"do": "state"})
        except errors.Unavailable:
            shim._channel.close()
            return None
        shim.pid, shim.started_at_ns = found["pid"], found["started_at_ns"]
        for name in found["execs"]:
            shim._execs[name] = asyncio.get_running_loop().create_future()
        return shim

    def _heard(self, event: dict[str, Any]) -> None:
        if event["event"] == "exit" and not self._exit.done():
            self._exit.set_result(ExitRecord.from_json(event["record"]))
        elif event["event"] == "exec_exit":
            waiting = self._execs.get(event["id"])
            if waiting is not None and not waiting.done():
                waiting.set_result(event["exit_code"])

    def _gone(self) -> None:
        if not self._exit.done():
            self._exit.set_result(None)
        for waiting in self._execs.values():
            if not waiting.done():
                waiting.set_result(137)

    async def start(self) -> Started:
        """Let the container's program run; returns after execve succeeded, StartFailed when it did not."""
        try:
            found, _ = await self._channel.ask({"do": "start"})
        except errors.StartFailed:
            self._is_clean = True
            raise
        except errors.Unavailable as error:
            await self._clean_up(self._exec_dir, self._exit_path)
            self._is_clean = True
            raise errors.StartFailed("the container's supervisor died", exit_code=128) from error
        self.pid, self.started_at_ns = found["pid"], found["started_at_ns"]
        self._on_started()
        return Started(self.pid, self.started_at_ns)

    async def wait_exit(self) -> ExitRecord:
        """The container's end; a killed shim's container is ended with it and counts as killed (137)."""
        record = await asyncio.shield(self._exit)
        if record is None:
            record = await self._clean_up(self._exec_dir, self._exit_path)
            if not record.started_at_ns:
                record.started_at_ns = self.started_at_ns
        return record

    async def attach(self, stream: AttachStream) -> None:
        """Hand a client's socket to the shim; takes the descriptor."""
        try:
            await self._channel.ask({"do": "attach", "stream": stream.to_json()}, [stream.fd])
        finally:
            os.close(stream.fd)

    async def exec(
        self,
        exec_id: str,
        process: dict[str, Any],
        *,
        user: str,
        groups: list[str],
        tty: bool,
        stream: AttachStream | None,
        filter: Filter | None = None,
    ) -> int:
        """Run a process more (an OCI process object); its pid, once it is executed. Takes the stream's descriptor."""
        body: message.Message = {
            "do": "exec",
            "id": exec_id,
            "process": process,
            "user": user,
            "groups": groups,
            "tty": tty,
            "stdin": bool(stream and stream.stdin),
            "stream": stream.to_json() if stream else {},
            "filter": filter.to_json() if filter else None,
        }
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._execs[exec_id] = waiting
        try:
            found, _ = await self._channel.ask(body, [stream.fd] if stream else [])
        except BaseException:
            del self._execs[exec_id]
            raise
        finally:
            if stream is not None:
                os.close(stream.fd)
        pid: int = found["pid"]
        return pid

    async def wait_exec(self, exec_id: str) -> int:
        """The exit code of an exec that this shim runs or ran; NotFound for another."""
        if exec_id not in self._execs:
            raise errors.NotFound(f"No such exec instance: {exec_id}")
        return await asyncio.shield(self._execs[exec_id])

    async def poll_exec(self, exec_id: str) -> int | None:
        """The exit code of an exec that has ended, else None.

        A client asks when it has seen its stream end, which may be before we have read the shim's news of the exit. The
        news was sent first, so it is here when the shim answers anything asked now.
        """
        waiting = self._execs.get(exec_id)
        if waiting is not None and not waiting.done():
            try:
                await self._channel.ask({"do": "state"})
            except errors.Unavailable:
                return None
        return waiting.result() if waiting is not None and waiting.done() else None

    def running_execs(self) -> list[str]:
        """The ids of the execs that have not ended."""
        return [name for name, waiting in self._execs.items() if not waiting.done()]

    async def resize(self, height: int, width: int, *, exec_id: str | None = None) -> None:
        """Set the terminal's size in characters; Conflict when there is no terminal."""
        await self._channel.ask({"do": "resize", "exec": exec_id, "height": height, "width": width})

    async def kill(self, signal: int, *, exec_id: str | None = None, all: bool = False) -> None:
        """Send a signal to the first process, to an exec, or to every process; NotFound when it has ended."""
        await self._channel.ask({"do": "kill", "exec": exec_id, "signal": signal, "all": all})

    async def freeze(self, *, frozen: bool) -> None:
        """Stop or resume every process of the container (cgroup freezer)."""
        await self._channel.ask({"do": "freeze", "frozen": frozen})

    async def discard(self) -> None:
        """Give up a launched container that was never started; afterwards nothing of it is left."""
        if self._is_clean:
            self._channel.close()
            return
        try:
            await self._channel.ask({"do": "discard"})
        except errors.Unavailable:
            await self._clean_up(self._exec_dir, self._exit_path)
        finally:
            self._channel.close()

    def disconnect(self) -> None:
        """Stop listening; the container runs on."""
        self._channel.close()
