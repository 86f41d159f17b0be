"""What a container has on the host outside of its root: the shim's directory and the cgroups.

The first process makes both while it still has the host's view, because what it writes to its memory for that is gone
with its execve; the shim, which stays, would keep it. The shim (or `runtime.cleanup`, if that dies) removes them.

Files       <exec_dir>/shim.sock    control connections of the shim
            <exec_dir>/state.json   {"pid", "start_ticks", "shim_pid", "cgroup", "exit_path"}: what `runtime.cleanup`
                                    needs when the shim is dead; pids as the host numbers them
"""

import _socket as socket
import os

from sampan.base import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.cgroup.detect import Cgroup
    from sampan.runtime.request import InitOrders

SOCKET = "shim.sock"
STATE = "state.json"


def lay_out(orders: "InitOrders", cgroup: "Cgroup") -> socket.socket:
    """Make the directory with the shim's listening socket, which is returned. FileExistsError: somebody has it."""
    os.mkdir(orders.exec_dir, 0o700)
    os.chdir(orders.exec_dir)  # a socket's address has 108 bytes at most: bind by its short name
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(SOCKET)
    listener.listen(8)
    _write_state(orders, cgroup)
    os.chdir("/")
    try:
        os.unlink(orders.exit_path)  # of the run before
    except FileNotFoundError:
        pass
    return listener


def _write_state(orders: "InitOrders", cgroup: "Cgroup") -> None:
    # /proc is the host's still: it tells this process who it is there, not in its own PID namespace.
    pid, parent, ticks = _myself()
    state = {
        "pid": pid,
        "start_ticks": ticks,
        "shim_pid": parent,
        "cgroup": cgroup.path,
        "exit_path": orders.exit_path,
    }
    fd = os.open(STATE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.write(fd, jsontext.dumps(state).encode())
    os.close(fd)


def _myself() -> "tuple[int, int, int]":
    """(pid, parent's pid, start time in ticks) from /proc/self/stat (proc_pid_stat(5))."""
    fd = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
    text = os.read(fd, 4096)
    os.close(fd)
    fields = text.rpartition(b")")[2].split()
    return int(text.split(b" ", 1)[0]), int(fields[1]), int(fields[19])


def amend(folder_fd: int, pid: int) -> None:
    """The first process has a successor (`runtime.rebirth`): write down that one instead.

    `folder_fd` is the directory's: its path leads to the container's root by now, which is mounted on it.
    """
    fd = os.open(STATE, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder_fd)
    state = jsontext.loads(os.read(fd, 1 << 16))
    os.close(fd)
    with open(f"/proc/{pid}/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    name = f"{STATE}.new"
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder_fd)
    os.write(fd, jsontext.dumps({**state, "pid": pid, "start_ticks": ticks}).encode())
    os.close(fd)
    os.rename(name, STATE, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)


def is_laid_for(shim_pid: int, exec_dir: str) -> bool:
    """Whether there is a directory and no other shim's: one without a complete state is of a launch cut short."""
    try:
        fd = os.open(f"{exec_dir}/{STATE}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.path.isdir(exec_dir)
    text = os.read(fd, 1 << 16)
    os.close(fd)
    try:
        return bool(jsontext.loads(text)["shim_pid"] == shim_pid)
    except ValueError:
        return True


def limit(cgroup: "Cgroup", resources: "dict[str, Any]") -> None:
    """Make the cgroups and set their limits."""
    cgroup.create()
    cgroup.apply(resources)
