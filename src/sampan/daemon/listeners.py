"""The sockets that the API is served on.

A unix socket gets mode 0660 and the configured group. One that nobody answers on is left over from a crash and is
replaced; one that answers belongs to a daemon, and is an error.
"""

import asyncio
import grp
import logging
import os
import socket
import stat
from collections.abc import Callable, Iterable

from sampan import errors
from sampan.daemon.config import Host, parse_host

_log = logging.getLogger("sampan.daemon")
_BACKLOG = 1024

Factory = Callable[[], asyncio.BaseProtocol]


class Listeners:
    """The open sockets; `open`, `serve`, `close`."""

    def __init__(self, hosts: Iterable[str], group: str) -> None:
        self._hosts = list(dict.fromkeys(hosts))
        self._group = group
        self._sockets: list[tuple[str, socket.socket]] = []
        self._servers: list[asyncio.Server] = []
        self._paths: list[tuple[str, int]] = []

    def open(self) -> None:
        """Bind everything; nothing is accepted before `serve`, but clients may connect already."""
        try:
            for text in self._hosts:
                host = parse_host(text)
                self._sockets.append((text, self._unix(host) if host.path else _tcp(text, host)))
        except BaseException:
            self.close()
            raise

    async def serve(self, factory: Factory) -> None:
        """Accept connections."""
        loop = asyncio.get_running_loop()
        for text, sock in self._sockets:
            create = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
            self._servers.append(await create(factory, sock=sock, backlog=_BACKLOG))
            _log.info("API listens on %s", text)

    def close(self) -> None:
        """Accept no more and remove our unix sockets."""
        for server in self._servers:
            server.close()
        for _, sock in self._sockets:
            sock.close()
        for path, inode in self._paths:
            _unlink_same(path, inode)
        self._sockets, self._servers, self._paths = [], [], []

    def _unix(self, host: Host) -> socket.socket:
        os.makedirs(os.path.dirname(host.path), mode=0o755, exist_ok=True)
        _clear_stale(host.path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o117)
        try:
            sock.bind(host.path)
        except OSError as error:
            sock.close()
            raise errors.Internal(f"cannot listen on unix://{host.path}: {error.strerror}") from error
        finally:
            os.umask(mask)
        if self._group:
            os.chown(host.path, 0, _group_id(self._group))
        self._paths.append((host.path, os.stat(host.path).st_ino))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        return sock


def _group_id(name: str) -> int:
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise errors.InvalidArgument(f"group {name} not found") from error


def _clear_stale(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise errors.Conflict(f"{path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            pass
        except OSError as error:
            raise errors.Conflict(f"{path} is in the way: {error.strerror}") from error
        else:
            raise errors.Conflict(f"another daemon listens on {path}")
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _unlink_same(path: str, inode: int) -> None:
    """Remove our socket, unless another daemon has put its own in its place."""
    try:
        if os.stat(path).st_ino == inode:
            os.unlink(path)
    except FileNotFoundError:
        pass


def _tcp(text: str, host: Host) -> socket.socket:
    _log.warning(
        "[DEPRECATION NOTICE] %s is served without TLS: everyone who reaches it has root access to this machine", text
    )
    family = socket.AF_INET6 if ":" in host.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host.address, host.port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise errors.Internal(f"cannot listen on {text}: {error.strerror}") from error
    sock.setblocking(False)
    return sock
