"""Applies a tar layer to the directory that is this process's root: the entrance to `unpacking`.

Runs in a short-lived helper that has already entered the snapshot (chroot(2), cwd "/"), as root and single-threaded:
there the kernel resolves every symbolic link inside the snapshot, so a path needs no checking beyond its own text.

Invariants  1. Nothing outside the process's root is touched; `apply_layer` refuses to run where cwd is not that root.
            2. Nothing is imported on the way: from inside this root an image would supply the module.
            3. The archive is read to the end of the stream, so that its writer sees no broken pipe.
Errors      InvalidArgument for a wrong archive, naming the entry; ResourceExhausted when the disk is full;
            Internal for a refusal of the kernel that the archive does not explain. What was applied so far stays.
Spec        image-spec v1.1, layer.md; Docker's daemon, which images are tested with, where that is silent.
"""

import errno
import os

from sampan.errors import Error, Internal, InvalidArgument, ResourceExhausted
from sampan.storage.layer.tarformat import quoted
from sampan.storage.layer.tarreader import TarReader
from sampan.storage.layer.unpacking import Applied, Limits, OverlayUnpacking, Unpacking

# Ten times the largest images in the wild, and still within what a disk and its inode table may be asked for.
MAX_BYTES = 1 << 40
MAX_ENTRIES = 5_000_000
# A full static /dev has some 2,000 nodes.
MAX_DEVICES = 20_000

_ARCHIVE_AT_FAULT = frozenset(
    (
        errno.E2BIG,
        errno.EEXIST,
        errno.EFBIG,
        errno.EINVAL,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMLINK,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.ERANGE,
        errno.EXDEV,
    )
)


def apply_layer(
    tar_fd: int,
    *,
    overlay: bool = True,
    max_bytes: int = MAX_BYTES,
    max_entries: int = MAX_ENTRIES,
    max_devices: int = MAX_DEVICES,
) -> Applied:
    """Applies the archive read from `tar_fd` to "/".

    With `overlay` the root is an overlay's fresh upper directory and whiteouts become overlayfs's; without, it holds a
    copy of the layers below and whiteouts remove from it. The process's umask is 0 from here on.
    """
    if not os.path.samestat(os.stat("/"), os.stat(".")):
        raise Internal("a layer can only be applied in a process whose root is the snapshot")
    os.umask(0)
    reader = TarReader.from_fd(tar_fd)
    limits = Limits(max_bytes=max_bytes, max_entries=max_entries, max_devices=max_devices)
    unpacking = OverlayUnpacking(reader, limits) if overlay else Unpacking(reader, limits)
    while entry := reader.next():
        try:
            unpacking.add(entry)
        except OSError as error:
            raise _refusal(entry.name, error) from error
    for path, entry in unpacking.directories.items():
        try:
            unpacking.finish_directory(path, entry)
        except OSError as error:
            raise _refusal(entry.name, error) from error
    reader.drain()
    return unpacking.applied


def _refusal(name: bytes, error: OSError) -> Error:
    reason = (error.strerror or str(error)).lower()
    message = f"archive entry {quoted(name)}: {reason}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(message)
    return InvalidArgument(message) if error.errno in _ARCHIVE_AT_FAULT else Internal(message)
