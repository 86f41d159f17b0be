"""The launcher: a small warm process that forks shims and helpers, because the daemon has threads and must not.

Packets on its socket are those of `runtime.message` with a byte in front that says what to do with them; the daemon
holds the other end, and its closing ends the launcher:

    L  launch      {shim, init, namespaces, attaches} + control socket, namespaces, attached sockets: to a spare shim
    U  launch, too, for namespaces that no spare has
    H  helper      {name, arguments} + answer socket, descriptors: to a new process, which answers
    N  netns       {seq}; answer {} + descriptor of a new network namespace, route socket inside it
    R  remapped    {seq, uids, gids}, mappings of the OCI config; answer as for N + descriptor of the user namespace
                   that the network namespace belongs to, or "error"

Memory      Everything a child may need is imported here once and shared with it by the fork. What the launcher writes
            to afterwards, each child is left with a copy of: so it reads no packet that is for another, and does little
            else.
Children    are reaped by the kernel (SIGCHLD ignored); a shim puts that back for its own.
"""

import _socket as socket
import gc
import os
import select
import sys

from sampan.linux import capabilities, syscalls
from sampan.linux import constants as c
from sampan.linux.title import set_title
from sampan.runtime import message
from sampan.runtime.cgroup.detect import hierarchies
from sampan.runtime.launcher import helpers
from sampan.runtime.launcher.netns import Namespaces
from sampan.runtime.launcher.spares import SpareShims

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn
else:
    import _signal as signal  # the same functions without the enums around them


IDLE_S = 0.1
LAUNCH, LAUNCH_UNUSUAL, HELPER, NETNS, REMAPPED_NETNS = b"L", b"U", b"H", b"N", b"R"


class Launcher:
    """The loop; `run` returns when the daemon has gone."""

    __slots__ = ("_namespaces", "_shims", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._namespaces = Namespaces()
        self._shims = SpareShims(self._become_child)

    def run(self) -> None:
        try:
            while (found := self._next()) is not None:
                packet, fds = found
                self._obey(packet, fds)
                for fd in fds:
                    os.close(fd)
        except ConnectionError:
            return  # the daemon went before an answer to it, or without reading one

    def _next(self) -> "tuple[bytes, list[int]] | None":
        # Idle for a while, make something ahead, one thing at a time; only then wait. Not at once: starts that follow
        # each other closely get no faster by it, for the processors are busy with the containers themselves.
        while not (self._shims.is_full and self._namespaces.is_full):
            if select.select([self._sock], [], [], IDLE_S)[0]:
                break
            if not self._shims.is_full:
                self._shims.stock()
            else:
                self._namespaces.stock()
        return message.receive_packet(self._sock)

    def _obey(self, packet: bytes, fds: "list[int]") -> None:
        kind, rest = packet[:1], packet[1:]
        if kind == LAUNCH:
            self._shims.launch(rest, fds)
        elif kind == LAUNCH_UNUSUAL:
            self._shims.launch_new(rest, fds)
        elif kind == NETNS:
            fd, route = self._namespaces.take()
            try:
                message.send(self._sock, {"seq": message.decode(rest, fds)["seq"], "ok": {}}, [fd, route.fileno()])
            finally:
                os.close(fd)
                route.close()
        elif kind == REMAPPED_NETNS:
            self._answer_remapped(message.decode(rest, fds))
        elif kind == HELPER and os.fork() == 0:
            self._become_child()
            helpers.run(message.decode(rest, fds), fds)

    def _answer_remapped(self, body: "dict[str, Any]") -> None:
        try:
            fd, route, user_fd = self._namespaces.make_owned(body["uids"], body["gids"])
        except OSError as error:
            text = f"user namespace: {error.strerror or error}"
            failure = {"class": "Internal", "message": text, "exit_code": 0}
            message.send(self._sock, {"seq": body["seq"], "error": failure})
            return
        try:
            message.send(self._sock, {"seq": body["seq"], "ok": {}}, [fd, route.fileno(), user_fd])
        finally:
            os.close(fd)
            os.close(user_fd)
            route.close()

    def _become_child(self) -> None:
        # The daemon learns from the end of this socket that the launcher died: no child may hold it open.
        self._sock.close()
        self._namespaces.close()


def main(socket_fd: int, helper_modules: "list[str]") -> "NoReturn":
    """The launcher's life; `socket_fd` is its end of the daemon's socket pair."""
    os.setsid()
    # What whoever started the daemon had ignored is no container's business.
    for number in set(range(1, 65)) - {signal.SIGKILL, signal.SIGSTOP}:
        syscalls.default_action(number)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)  # as the interpreter wants it: an error, not a death
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it goes when the daemon goes, not before
    # Inherited by all that is forked: what joins a container is never to be traced from there, not for a moment.
    syscalls.prctl(c.PR_SET_DUMPABLE, 0)
    set_title(b"sampan-launcher")
    os.set_inheritable(socket_fd, False)
    sock = socket.socket(fileno=socket_fd)
    syscalls.close_range(socket_fd + 1, 0xFFFFFFFF)
    os.umask(0o022)
    os.chdir("/")
    hierarchies()
    capabilities.remember_bounding()
    if os.path.exists("/sys/kernel/security/apparmor/profiles"):
        __import__("sampan.runtime.labels")  # every container will need it
    for name in helper_modules:
        helpers.register(name)
    gc.collect()
    gc.disable()
    gc.freeze()
    Launcher(sock).run()
    sys.stderr.flush()
    os._exit(0)
