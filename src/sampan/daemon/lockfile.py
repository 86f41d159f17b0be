"""One daemon per data root: an flock(2) that ends with the process; and the pid file, which is only told to others."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sampan import errors
from sampan.base.atomicfile import write_atomic


@contextmanager
def exclusive(data_root: str) -> Iterator[None]:
    """Hold the data root; Conflict when another daemon does."""
    path = f"{data_root}/sampand.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        yield
    except BlockingIOError as error:
        holder = os.pread(fd, 32, 0).decode().strip()
        raise errors.Conflict(f"another sampand (pid {holder}) uses the data root {data_root}") from error
    finally:
        os.close(fd)


@contextmanager
def pid_file(path: str) -> Iterator[None]:
    """Write our pid, unless `path` names a process that lives; remove the file at the end."""
    if not path:
        yield
        return
    holder = _holder(path)
    if holder is not None:
        raise errors.Conflict(
            f"failed to start daemon, ensure sampand is not running or delete {path}: process with PID {holder} is "
            "still running"
        )
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    write_atomic(path, f"{os.getpid()}".encode(), mode=0o644, durable=False)
    try:
        yield
    finally:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def _holder(path: str) -> int | None:
    """The living sampand that a pid file names; a pid that was given to another program is no obstacle."""
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read().strip())
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return pid if b"sampand" in file.read() and pid != os.getpid() else None
    except (OSError, ValueError):
        return None
