"""Filling a new volume, or a tmpfs, with what the image has at its place (Docker's copy-up on first use).

Runs in a container's first process while the root is made: both sides are descriptors, nothing is followed, and the
container's own processes do not exist yet.

Left out    Extended attributes that the target's file system does not have or that take more rights than there are (in
            a user namespace), and there device nodes, too.
"""

import errno
import os
import stat

_PIECE_BYTES = 1 << 24


def fill(source_fd: int, volume_fd: int, *, with_mode: bool = True) -> None:
    """Copy the content of one directory into another if that is empty, and give it the first one's owner and mode."""
    if os.listdir(volume_fd):
        return
    links: dict[tuple[int, int], str] = {}
    mode = stat.S_IMODE(os.fstat(volume_fd).st_mode)
    _copy_directory(source_fd, volume_fd, "", volume_fd, links)
    if not with_mode:
        os.fchmod(volume_fd, mode)


def _copy_directory(
    source_fd: int, target_fd: int, path: str, top_fd: int, links: "dict[tuple[int, int], str]"
) -> None:
    for name in os.listdir(source_fd):
        _copy_entry(source_fd, target_fd, name, f"{path}/{name}".lstrip("/"), top_fd, links)
    _copy_attributes(os.fstat(source_fd), source_fd, target_fd)


def _copy_entry(
    source_fd: int, target_fd: int, name: str, path: str, top_fd: int, links: "dict[tuple[int, int], str]"
) -> None:
    found = os.stat(name, dir_fd=source_fd, follow_symlinks=False)
    identity = (found.st_dev, found.st_ino)
    if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
        if identity in links:
            os.link(links[identity], name, src_dir_fd=top_fd, dst_dir_fd=target_fd, follow_symlinks=False)
            return
        links[identity] = path
    if stat.S_ISDIR(found.st_mode):
        os.mkdir(name, 0o700, dir_fd=target_fd)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        here, there = os.open(name, flags, dir_fd=source_fd), os.open(name, flags, dir_fd=target_fd)
        try:
            _check_same(found, here, name)
            _copy_directory(here, there, path, top_fd, links)
        finally:
            os.close(here)
            os.close(there)
    elif stat.S_ISREG(found.st_mode):
        _copy_file(source_fd, target_fd, name, found)
    elif stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
        _own(name, target_fd, found)
    elif _make_node(target_fd, name, found):
        _own(name, target_fd, found)


def _make_node(target_fd: int, name: str, found: os.stat_result) -> bool:
    try:
        os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target_fd)
    except PermissionError:
        return False
    return True


def _copy_file(source_fd: int, target_fd: int, name: str, found: os.stat_result) -> None:
    here = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source_fd)
    try:
        _check_same(found, here, name)
    except BaseException:
        os.close(here)
        raise
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    there = os.open(name, flags, 0o600, dir_fd=target_fd)
    try:
        while os.sendfile(there, here, None, _PIECE_BYTES):
            continue
        _copy_attributes(found, here, there)
    finally:
        os.close(here)
        os.close(there)


def _check_same(found: os.stat_result, fd: int, name: str) -> None:
    """What was opened is what was looked at, and no other file, device or mount that somebody put there meanwhile."""
    if not os.path.samestat(found, os.fstat(fd)):
        raise OSError(errno.EAGAIN, "it was exchanged while it was being copied", name)


def _copy_attributes(found: os.stat_result, source_fd: int, target_fd: int) -> None:
    """Owner, mode, extended attributes, times, in the order in which none undoes another."""
    os.fchown(target_fd, found.st_uid, found.st_gid)
    os.fchmod(target_fd, stat.S_IMODE(found.st_mode))
    for key in os.listxattr(source_fd):
        if not key.startswith("trusted.overlay."):
            _copy_attribute(source_fd, target_fd, key)
    os.utime(target_fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_attribute(source_fd: int, target_fd: int, key: str) -> None:
    try:
        os.setxattr(target_fd, key, os.getxattr(source_fd, key))
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM):
            raise


def _own(name: str, folder_fd: int, found: os.stat_result) -> None:
    os.chown(name, found.st_uid, found.st_gid, dir_fd=folder_fd, follow_symlinks=False)
    os.utime(name, ns=(found.st_atime_ns, found.st_mtime_ns), dir_fd=folder_fd, follow_symlinks=False)
