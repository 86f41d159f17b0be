"""Paths below a container's root, resolved by the kernel inside that root.

The root is a directory descriptor. Every symbolic link, absolute ones and `..` included, is followed as if the root
were `/` (openat2(2), RESOLVE_IN_ROOT), and magic links (/proc/self/fd/N) are refused, so no name that an image or a
user chose can lead to a file of the host.
"""

import errno
import os

from sampan.linux import constants as c
from sampan.linux import syscalls


def open_in_root(root_fd: int, unsafe_path: str, flags: int, *, mode: int = 0, follow: bool = True) -> int:
    """Open `unsafe_path` inside the root; the errors of open(2). Without `follow` a link anywhere in it is ELOOP."""
    resolve = c.RESOLVE_IN_ROOT if follow else c.RESOLVE_IN_ROOT | c.RESOLVE_NO_SYMLINKS
    return syscalls.openat2(root_fd, unsafe_path, flags, resolve=resolve, mode=mode)


def open_or_create_directory(root_fd: int, unsafe_path: str, *, mode: int = 0o755) -> int:
    """An O_PATH descriptor of a directory inside the root, made with its missing parents."""
    try:
        return open_in_root(root_fd, unsafe_path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        return create_directory(root_fd, unsafe_path, mode=mode)


def create_directory(root_fd: int, unsafe_path: str, *, mode: int = 0o755) -> int:
    """Make a directory that was found missing, with its parents; an O_PATH descriptor of it."""
    parent, name = _split(unsafe_path)
    if name in ("", ".", ".."):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), unsafe_path)
    parent_fd = open_or_create_directory(root_fd, parent, mode=mode)
    try:
        os.mkdir(name, mode, dir_fd=parent_fd)
        return os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
    except FileExistsError:
        # A dangling link, or somebody was faster: only what resolves inside the root counts.
        target = _link_target(parent_fd, parent, name)
    finally:
        os.close(parent_fd)
    if target:
        os.close(open_or_create_directory(root_fd, target, mode=mode))
    return open_in_root(root_fd, unsafe_path, os.O_PATH | os.O_DIRECTORY)


def open_or_create_file(root_fd: int, unsafe_path: str, *, mode: int = 0o644) -> int:
    """An O_PATH descriptor of a file of any type inside the root; an empty one is made where there is none."""
    try:
        return open_in_root(root_fd, unsafe_path, os.O_PATH)
    except FileNotFoundError:
        return create_file(root_fd, unsafe_path, mode=mode)


def create_file(root_fd: int, unsafe_path: str, *, mode: int = 0o644) -> int:
    """Make a file that was found missing, empty and with its parents; an O_PATH descriptor of it."""
    parent, name = _split(unsafe_path)
    parent_fd = open_or_create_directory(root_fd, parent)
    try:
        os.close(open_in_root(root_fd, unsafe_path, os.O_CREAT | os.O_WRONLY | os.O_NONBLOCK, mode=mode))
    except FileNotFoundError:
        target = _link_target(parent_fd, parent, name)
        if not target:
            raise
        return create_file(root_fd, target, mode=mode)
    finally:
        os.close(parent_fd)
    return open_in_root(root_fd, unsafe_path, os.O_PATH)


def _link_target(parent_fd: int, parent: str, name: str) -> str:
    """Where a link leads, from the root; "" when it is none."""
    try:
        target = os.readlink(name, dir_fd=parent_fd)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return ""
        raise
    return target if target.startswith("/") else f"{parent}/{target}"


def _split(path: str) -> "tuple[str, str]":
    parent, _, name = path.rstrip("/").rpartition("/")
    return parent or "/", name
