"""The only way to replace a file: temporary beside it, write, fsync, rename, fsync the directory.

After `write_atomic` returns, the new content survives a power cut; at every moment before, the old content does.
"""

import os

from sampan.base.failpoints import failpoint


def sync_directory(path: str) -> None:
    """Make the entries of a directory durable (fsync(2) on a directory)."""
    fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_durable(path: str) -> None:
    """Bring a file that `write_atomic` wrote with `durable=False` to the disk after all, with its name."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(os.path.dirname(path))


def write_atomic(path: str, content: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace `path` by `content` in one step; `durable=False` leaves the two fsyncs out (for state below /run)."""
    folder, name = os.path.split(path)
    aside = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view) :]
            failpoint("atomicfile.written")
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(aside, path)
    except BaseException:
        try:
            os.unlink(aside)
        except FileNotFoundError:
            pass
        raise
    failpoint("atomicfile.renamed")
    if durable:
        sync_directory(folder)
