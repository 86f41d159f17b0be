"""Descriptors handed to other programs: a terminal's master to --console-socket, a seccomp listener to its agent.

Both are one message on a Unix stream socket with the descriptor as ancillary data (SCM_RIGHTS):

    --console-socket    the name of the terminal, which nobody needs to believe ("/dev/pts/ptmx", as runc has it)
    listenerPath        {"ociVersion", "fds": ["seccompFd"], "pid", "metadata", "state"}, runtime-spec's
                        ContainerProcessState, "\\n" is not appended

Errors      StageError, in runc's words.
Spec        runc docs/terminals.md; runtime-spec 1.2, config-linux.md "Seccomp", "The Container Process State".
"""

import _socket as socket
import os
import struct

from sampan.base import jsontext
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECCOMP_FD_NAME = "seccompFd"
_TERMINAL = "/dev/pts/ptmx"
_MAX_PATH_BYTES = 107  # sun_path (unix(7)) and its terminating zero


# Of the process state's shape: the version that the specification's own example and crun give.
STATE_VERSION = "0.2.0"


def connect(path: str) -> socket.socket:
    """A connection to a Unix stream socket; paths longer than an address go by their directory."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    folder_fd = -1
    try:
        address = path
        if len(os.fsencode(path)) > _MAX_PATH_BYTES:
            folder, _, name = path.rpartition("/")
            folder_fd = os.open(folder or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            address = f"/proc/self/fd/{folder_fd}/{name}"
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    finally:
        if folder_fd >= 0:
            os.close(folder_fd)
    return sock


def connect_console(path: str) -> socket.socket:
    """The connection that `send_terminal` needs, made while `path` means what the caller of the runtime meant."""
    try:
        return connect(path)
    except OSError as error:
        raise StageError(f"dial unix {path}: connect: {_reason(error)}") from error


def send_terminal(sock: socket.socket, master_fd: int, *, name: str = _TERMINAL) -> None:
    """Hand a terminal's master over; both stay open here."""
    try:
        send_fd(sock, name.encode(), master_fd)
    except OSError as error:
        raise StageError(f"cannot send the terminal to the console socket: {_reason(error)}") from error


def send_listener(path: str, listener_fd: int, state: "dict[str, Any]", *, pid: int, metadata: str = "") -> None:
    """Hand a seccomp listener to the agent at `path`; `state` is the container's, `pid` that of the process."""
    text = process_state(state, pid=pid, metadata=metadata)
    try:
        sock = connect(path)
    except OSError as error:
        what = "failed to connect with seccomp agent specified in the seccomp profile"
        raise StageError(f"{what}: dial unix {path}: connect: {_reason(error)}") from error
    try:
        send_fd(sock, text.encode("utf-8", "surrogateescape"), listener_fd)
    except OSError as error:
        raise StageError(f"cannot send seccomp fd to {path}: {_reason(error)}") from error
    finally:
        sock.close()


def process_state(state: "dict[str, Any]", *, pid: int, metadata: str = "") -> str:
    """The runtime-spec's ContainerProcessState as JSON."""
    found: dict[str, Any] = {"ociVersion": STATE_VERSION, "fds": [SECCOMP_FD_NAME], "pid": pid}
    if metadata:
        found["metadata"] = metadata
    return jsontext.dumps(found | {"state": state})


def send_fd(sock: socket.socket, text: bytes, fd: int) -> None:
    """One message with one descriptor; the rest of a long text follows as the stream takes it."""
    sent = sock.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))])
    view = memoryview(text)[sent:]
    while view:
        view = view[sock.send(view) :]


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
