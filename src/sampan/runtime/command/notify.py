"""systemd's readiness protocol for a program in a container (sd_notify(3)).

The container cannot reach the socket that NOTIFY_SOCKET names to the runtime: it gets one of its own, in a folder that
is mounted where the host's socket is, and its NOTIFY_SOCKET names that. Whoever starts the container passes on what
comes through it.

Layout      <state directory>/notify/notify     the socket; in the container $NOTIFY_SOCKET/notify
Abstract    A socket that has no file (NOTIFY_SOCKET=@name) has no place either: the folder is mounted at PLACE then.
What goes   READY=1, with the container's process as MAINPID; nothing else, for the rest (MAINPID=, FDSTORE=) is a
            matter between systemd and what it has started.
"""

import _socket as socket
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VARIABLE = "NOTIFY_SOCKET"
FOLDER = "notify"
PLACE = "/run/notify"
_MAX_BYTES = 4096


def offer(directory: str, spec: "dict[str, Any]", host_path: str) -> None:
    """Make the folder of the container's own socket below `directory`, mount it and name the socket in `spec`."""
    folder = f"{directory}/{FOLDER}"
    os.mkdir(folder, 0o755)
    place = host_path if host_path.startswith("/") else PLACE
    options = ["bind", "nosuid", "noexec", "nodev"]
    mount = {"destination": place, "type": "bind", "source": folder, "options": options}
    spec["mounts"] = [*(spec.get("mounts") or []), mount]
    process = spec.get("process") or {}
    kept = [text for text in process.get("env") or [] if not text.startswith(f"{VARIABLE}=")]
    process["env"] = [*kept, f"{VARIABLE}={place}/notify"]


def wanted(directory: str) -> "Waiting | None":
    """What the caller, about to start the program, has to listen to; None where nobody wants to be told."""
    host_path = os.environ.get(VARIABLE, "")
    if not host_path or not os.path.isdir(f"{directory}/{FOLDER}"):
        return None
    return Waiting(f"{directory}/{FOLDER}", host_path)


class Waiting:
    """The container's socket until the program is ready."""

    __slots__ = ("_host_path", "_sock")

    def __init__(self, folder: str, host_path: str) -> None:
        self._host_path = host_path
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.chdir(folder)  # an address has 108 bytes at most
        try:
            self._sock.bind("notify")
            os.chmod("notify", 0o777)  # any user of the container may say that it is ready
        finally:
            os.fchdir(here)
            os.close(here)

    def fileno(self) -> int:
        return self._sock.fileno()

    def take(self, pid: int) -> bool:
        """Read one message; True when it said "ready" and that has been passed on with the container's `pid`."""
        lines = self._sock.recv(_MAX_BYTES).split(b"\n")
        if b"READY=1" not in lines:
            return False
        with_nul = self._host_path.replace("@", "\0", 1) if self._host_path.startswith("@") else self._host_path
        out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            out.sendto(f"READY=1\nMAINPID={pid}\n".encode(), with_nul)
        except OSError:
            return True  # nobody listens there any more
        finally:
            out.close()
        return True

    def close(self) -> None:
        """Listen no more."""
        self._sock.close()

    def until_ready(self, pid: int, pidfd: int) -> None:
        """Return when the program is ready, or has ended without; then nobody listens any more."""
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            is_ready = self._sock.fileno() in ready and self.take(pid)
            if is_ready or pidfd in ready:
                self.close()
                return
