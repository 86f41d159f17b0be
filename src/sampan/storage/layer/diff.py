"""An overlay's upper directory as a changeset: what it changed, and the tar layer that says so.

The tree belongs to a container that may be running: it is walked by directory descriptors, never through a symbolic
link, and what vanishes or changes kind on the way is left out.

Invariants  1. Entries are sorted by name, a directory before what is in it, whiteouts before what stands beside them.
            2. A file's entry holds exactly as many bytes as its header says, whatever happens to the file meanwhile.
            3. Applying the changeset to an empty upper directory makes the same one again.
            4. The root itself is no entry.
Units       Sizes in bytes, times in nanoseconds.
Errors      Internal, for a tree that cannot be read.
"""

import os
from collections.abc import Callable, Iterator
from enum import StrEnum
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG

from sampan.errors import Internal
from sampan.storage.layer import whiteouts
from sampan.storage.layer.tarformat import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    HARD_LINK,
    REGULAR,
    SYMLINK,
    TRAILER,
    Entry,
    encode_entry,
    padding_bytes,
    quoted,
)

_CHUNK_BYTES = 1 << 20
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_DIRECTORY = _OPEN | os.O_DIRECTORY


class ChangeKind(StrEnum):
    """As `docker diff` marks them."""

    MODIFIED = "C"
    ADDED = "A"
    DELETED = "D"


def changes(upper_path: str, *, exists_below: Callable[[bytes], bool]) -> Iterator[tuple[bytes, ChangeKind]]:
    """What `upper_path` changes, by path with its leading slash; `exists_below` knows the lower layers."""
    for path, status, _ in _walk(upper_path):
        if whiteouts.is_whiteout(status):
            kind = ChangeKind.DELETED
        else:
            kind = ChangeKind.MODIFIED if exists_below(b"/" + path) else ChangeKind.ADDED
        yield b"/" + path, kind


def changeset(upper_path: str) -> Iterator[bytes]:
    """The layer of `upper_path` as the bytes of a tar archive."""
    links: dict[tuple[int, int], bytes] = {}
    for path, status, parent_fd in _walk(upper_path):
        yield from _encode(path, status, parent_fd, links)
    yield TRAILER


def _walk(root_path: str) -> Iterator[tuple[bytes, os.stat_result, int]]:
    """Each (path, status, parent's descriptor) below a directory; the descriptor is good until the next step."""
    stack: list[tuple[bytes, Iterator[bytes], int]] = []
    try:
        _descend(stack, b"", os.open(root_path, os.O_RDONLY | os.O_DIRECTORY))
        while stack:
            prefix, names, parent_fd = stack[-1]
            name = next(names, None)
            if name is None:
                os.close(stack.pop()[2])
                continue
            try:
                status = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
                yield prefix + name, status, parent_fd
                if S_ISDIR(status.st_mode):
                    _descend(stack, prefix + name + b"/", os.open(name, _DIRECTORY, dir_fd=parent_fd))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise Internal(f"cannot read {quoted(prefix + name)}: {error.strerror}") from error
    finally:
        for _, _, directory_fd in stack:
            os.close(directory_fd)


def _descend(stack: list[tuple[bytes, Iterator[bytes], int]], prefix: bytes, directory_fd: int) -> None:
    """Puts a directory on the stack, which owns its descriptor even if it cannot be listed."""
    stack.append((prefix, iter(()), directory_fd))
    names = sorted(os.fsencode(name) for name in os.listdir(directory_fd))
    stack[-1] = (prefix, iter(names), directory_fd)


def _encode(
    path: bytes, status: os.stat_result, parent_fd: int, links: dict[tuple[int, int], bytes]
) -> Iterator[bytes]:
    parent, slash, name = path.rpartition(b"/")
    if whiteouts.is_whiteout(status):
        yield encode_entry(Entry(parent + slash + whiteouts.PREFIX + name, REGULAR, mtime_ns=status.st_mtime_ns))
        return
    entry = _entry(path, status)
    if entry is None:
        return
    if S_ISREG(status.st_mode):
        yield from _encode_file(entry, status, parent_fd, links)
        return
    try:
        entry.xattrs, is_opaque = _xattrs(name, parent_fd)
        if S_ISLNK(status.st_mode):
            entry.linkname = os.readlink(name, dir_fd=parent_fd)
    except FileNotFoundError:
        return
    yield encode_entry(entry)
    if is_opaque:
        yield encode_entry(Entry(path + b"/" + whiteouts.OPAQUE, REGULAR, mtime_ns=status.st_mtime_ns))


def _entry(path: bytes, status: os.stat_result) -> Entry | None:
    """The entry of anything a tar archive can hold; a socket it cannot, and Docker leaves them out as well."""
    mode = status.st_mode
    entry = Entry(path, REGULAR, mode=mode & 0o7777, uid=status.st_uid, gid=status.st_gid, mtime_ns=status.st_mtime_ns)
    if S_ISDIR(mode):
        entry.name += b"/"
        entry.kind = DIRECTORY
    elif S_ISLNK(mode):
        entry.kind = SYMLINK
    elif S_ISCHR(mode) or S_ISBLK(mode):
        entry.kind = CHARACTER if S_ISCHR(mode) else BLOCK
        entry.device_major, entry.device_minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    elif S_ISFIFO(mode):
        entry.kind = FIFO
    elif not S_ISREG(mode):
        return None
    return entry


def _encode_file(
    entry: Entry, status: os.stat_result, parent_fd: int, links: dict[tuple[int, int], bytes]
) -> Iterator[bytes]:
    inode = (status.st_dev, status.st_ino)
    if status.st_nlink > 1 and inode in links:
        entry.kind, entry.linkname = HARD_LINK, links[inode]
        yield encode_entry(entry)
        return
    try:
        file_fd = os.open(entry.name.rpartition(b"/")[2], _OPEN, dir_fd=parent_fd)
    except OSError:
        return  # replaced by something else since it was listed
    try:
        status = os.fstat(file_fd)
        if not S_ISREG(status.st_mode):
            return
        links[inode] = entry.name
        entry.size = status.st_size
        entry.xattrs = _xattrs_of(file_fd)[0]
        yield encode_entry(entry)
        yield from _contents(file_fd, entry.size)
    finally:
        os.close(file_fd)


def _contents(file_fd: int, size: int) -> Iterator[bytes]:
    left = size
    while left and (chunk := os.read(file_fd, min(left, _CHUNK_BYTES))):
        left -= len(chunk)
        yield chunk
    while left:  # it shrank: the header cannot be taken back
        filler = bytes(min(left, _CHUNK_BYTES))
        left -= len(filler)
        yield filler
    yield bytes(padding_bytes(size))


def _xattrs(name: bytes, parent_fd: int) -> tuple[dict[bytes, bytes] | None, bool]:
    """Of something that must not be opened. /proc names it below its parent's descriptor without following it."""
    return _xattrs_of(b"/proc/self/fd/%d/%b" % (parent_fd, name))


def _xattrs_of(target: int | bytes) -> tuple[dict[bytes, bytes] | None, bool]:
    """The attributes that belong in an archive, and whether overlayfs takes the directory for opaque."""
    follow = isinstance(target, int)
    found: dict[bytes, bytes] = {}
    is_opaque = False
    try:
        names = os.listxattr(target, follow_symlinks=follow)
    except FileNotFoundError:
        raise
    except OSError:
        return None, False
    for text in names:
        name = os.fsencode(text)
        try:
            if name == whiteouts.OPAQUE_XATTR:
                is_opaque = os.getxattr(target, name, follow_symlinks=follow) == b"y"
            elif not name.startswith((*whiteouts.OVERLAY_XATTR_PREFIXES, b"security.selinux")):
                found[name] = os.getxattr(target, name, follow_symlinks=follow)
        except OSError:
            continue  # removed since it was listed
    return found or None, is_opaque
