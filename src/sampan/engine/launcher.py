"""The daemon's side of the launcher: start it, ask it, replace it when it dies.

The launcher is a process of its own (`runtime.launcher`) because the daemon has threads and must not fork. It is
executed once per daemon; its death costs nothing but the time to start another, for nothing is kept in it.
"""

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Callable
from typing import Any, Self

from sampan import errors
from sampan.engine.idmapping import IdMapping
from sampan.engine.shim import Channel, Shim, raise_error, settle
from sampan.linux.constants import CLONE_NEWNET
from sampan.runtime import message
from sampan.runtime.launcher import interpreter
from sampan.runtime.launcher.main import HELPER, LAUNCH, LAUNCH_UNUSUAL, NETNS, REMAPPED_NETNS
from sampan.runtime.namespaces import USUAL_FLAGS, Namespaces
from sampan.runtime.request import AttachStream, ExitRecord, LaunchRequest

HELPER_MODULES = ["sampan.storage.layer.helper"]


REST_S = 0.005


class Netns:
    """A network namespace by its descriptor, and a NETLINK_ROUTE socket that lives inside it.

    `user_fd` is the user namespace that it belongs to, made with it; -1 for the host's.
    """

    __slots__ = ("ns_fd", "route_fd", "user_fd")

    def __init__(self, ns_fd: int, route_fd: int, user_fd: int = -1) -> None:
        self.ns_fd = ns_fd
        self.route_fd = route_fd
        self.user_fd = user_fd

    def namespace_fds(self) -> dict[str, int]:
        """The namespaces by their kinds."""
        return {"network": self.ns_fd} | ({"user": self.user_fd} if self.user_fd >= 0 else {})

    def close(self) -> None:
        """Drop all; the namespaces live on as long as a process is in them. Safe to call twice."""
        for fd in (self.ns_fd, self.route_fd, self.user_fd):
            if fd >= 0:
                os.close(fd)
        self.ns_fd = self.route_fd = self.user_fd = -1


class Launcher:
    """A running launcher process; use as `async with`."""

    def __init__(self, *, log_fd: int = 2) -> None:
        self._log_fd = log_fd
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closing = False
        self._ahead: asyncio.Future[tuple[dict[str, Any], list[int]]] | None = None
        self._ahead_mapping: IdMapping | None = None
        self._mapping: IdMapping | None = None  # of the last namespace that was asked for

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing = True
        if self._ahead is not None and self._ahead.done() and (unused := await self._take_ahead()):
            unused.close()
        self._stop()

    @property
    def pid(self) -> int:
        """The launcher's pid, for tests and diagnosis."""
        assert self._process is not None
        return self._process.pid

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        image = interpreter.guarded(interpreter.real_interpreter())
        try:
            # Popen with these arguments uses vfork(2) and execve(2): safe in a process with threads.
            self._process = subprocess.Popen(
                interpreter.command(theirs.fileno(), HELPER_MODULES),
                executable=f"/proc/self/fd/{image}",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log_fd,
                pass_fds=(theirs.fileno(), image),
                env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONDONTWRITEBYTECODE": "1"}
                | {k: v for k, v in os.environ.items() if k.startswith("SAMPAN_")},
            )
        finally:
            os.close(image)
            theirs.close()
        self._channel = Channel(ours, on_close=self._died)

    def _stop(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.wait(timeout=10)
            self._process = None

    def _died(self) -> None:
        # The channel tells the askers what was not done; the next request finds a new launcher.
        self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _connected(self) -> Channel:
        if self._is_closing:
            raise errors.Unavailable("the engine is shutting down")
        if self._channel is None:
            self._start()
        assert self._channel is not None
        return self._channel

    async def launch(
        self, request: LaunchRequest, *, netns: Netns | None = None, attaches: list[AttachStream] | None = None
    ) -> Shim:
        """Fork a shim that prepares the container and waits for `Shim.start`. Takes the streams' descriptors."""
        streams = attaches or []
        shim_part = request.shim_part()
        if netns is None and Namespaces(request.spec["linux"].get("namespaces")).new & CLONE_NEWNET:
            for stream in streams:
                os.close(stream.fd)
            raise errors.Internal(f"container {request.id} is to have a network namespace, and none was given")
        given = netns.namespace_fds() if netns else {}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # A spare has a first process already, which is of no use to another runtime.
        is_usual = shim_part["birth_flags"] == USUAL_FLAGS and request.runtime is None
        body: message.Message = {
            "shim": shim_part,
            "namespaces": list(given),
            "attaches": [stream.to_json() for stream in streams],
        }
        # What the first process is told goes by launcher and shim unread, and takes none of their memory.
        init_fd = message.in_memory(request.init_part(list(given)).encode("utf-8", "surrogateescape"))
        fds = [theirs.fileno(), init_fd, *given.values(), *(stream.fd for stream in streams)]
        try:
            await self._send(LAUNCH if is_usual else LAUNCH_UNUSUAL, body, fds)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(init_fd)
            for stream in streams:
                os.close(stream.fd)
        return Shim(
            ours,
            exec_dir=request.exec_dir,
            exit_path=request.exit_path,
            clean_up=self.clean_up,
            on_started=self._replenish,
        )

    def _replenish(self) -> None:
        # Not at once: what has just been started needs the processors more.
        asyncio.get_running_loop().call_later(REST_S, self._make_ahead)

    def _make_ahead(self) -> None:
        if self._channel is not None and self._ahead is None:
            kind, body = _question(self._mapping)
            self._ahead, self._ahead_mapping = self._channel.ask_ahead(body, kind=kind), self._mapping

    async def _take_ahead(self) -> Netns | None:
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return None
        try:
            found, fds = await ahead
        except errors.Unavailable:
            return None
        return Netns(*fds) if "ok" in found else None

    async def _send(self, kind: bytes, body: message.Message, fds: list[int]) -> None:
        channel = self._connected()
        try:
            await channel.send(body, fds, kind=kind)
        except (BrokenPipeError, ConnectionError):
            # It died since we last looked. Nothing was taken from this request, so ask the next one.
            self._give_up(channel)
            await self._connected().send(body, fds, kind=kind)

    def _give_up(self, channel: Channel) -> None:
        # Closed at once: the event loop's own news of this death would be taken for the next launcher's.
        channel.close()
        if self._channel is channel:
            self._died()

    async def netns(self, mapping: IdMapping | None = None) -> Netns:
        """A fresh network namespace; with a mapping, one that belongs to a new user namespace. The caller closes it."""
        self._mapping = mapping
        if self._ahead_mapping == mapping and (ahead := await self._take_ahead()) is not None:
            return ahead
        kind, body = _question(mapping)
        for _ in range(2):
            channel = self._connected()
            try:
                _, fds = await channel.ask(body, kind=kind)
                return Netns(*fds)
            except errors.Unavailable:
                if self._is_closing:
                    raise
                self._give_up(channel)
        raise errors.Unavailable("the launcher died repeatedly")

    async def unpack(self, root_path: str, tar_fd: int, *, options: dict[str, Any]) -> dict[str, Any]:
        """Apply the tar layer that `tar_fd` yields to the directory `root_path`, in a helper chrooted there."""
        return await self._help("unpack", {"root": root_path, "options": options}, [tar_fd])

    async def clean_up(self, exec_dir: str, exit_path: str, cgroup: str = "") -> ExitRecord:
        """End and remove what a dead shim left behind; returns the exit record."""
        arguments = {"exec_dir": exec_dir, "exit_path": exit_path, "cgroup": cgroup}
        return ExitRecord.from_json(await self._help("clean_up", arguments, []))

    async def try_id_mapping(self, folder: str, mapping: IdMapping) -> None:
        """See whether an overlay below `folder` can have its layers idmapped; InvalidArgument says why not."""
        await self._help("try_id_mapping", {"folder": folder, **mapping.to_json()}, [])

    async def _help(self, name: str, arguments: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            await self._send(HELPER, {"name": name, "arguments": arguments}, [theirs.fileno(), *fds])
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        found = await _one_message(ours)
        if found is None:
            raise errors.Internal(f"{name}: the helper was killed")
        if "error" in found:
            raise_error(found["error"])
        answer: dict[str, Any] = found["ok"]
        return answer


def _question(mapping: IdMapping | None) -> tuple[bytes, message.Message]:
    """How the launcher is asked for a network namespace."""
    return (NETNS, {}) if mapping is None else (REMAPPED_NETNS, mapping.to_json())


async def _one_message(sock: socket.socket) -> dict[str, Any] | None:
    """The one message that arrives on a socket, or None at its end; closes it."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()
    sock.setblocking(False)
    loop.add_reader(sock.fileno(), settle, arrived)
    try:
        await arrived
        found = message.receive(sock)
        return found[0] if found else None
    finally:
        loop.remove_reader(sock.fileno())
        sock.close()


async def reconnect(exec_dir: str, exit_path: str, clean_up: Callable[[str, str], Any]) -> Shim | ExitRecord | None:
    """What became of a container after a daemon restart: its shim, its exit record, or None if it never ran.

    A dead shim's container is ended and cleaned up on the way (exit code 137).
    """
    shim = await Shim.connect(exec_dir, exit_path, clean_up)
    if shim is not None:
        return shim
    if os.path.isdir(exec_dir):
        record: ExitRecord = await clean_up(exec_dir, exit_path)
        return record
    try:
        with open(exit_path, encoding="utf-8") as file:
            return ExitRecord.from_json(json.load(file))
    except FileNotFoundError:
        return None
