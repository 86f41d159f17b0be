"""Mounts without a place: fsopen(2), fsconfig(2) and fsmount(2), and what kind of file system a descriptor is on.

A file system made so is nobody's to see or to mount over until it is moved somewhere; it lives as long as its
descriptors. As in `linux.syscalls`, nothing here chooses. All need CAP_SYS_ADMIN in the mount namespace (Linux 5.2).
"""

import ctypes

from sampan.linux import constants as c
from sampan.linux.syscalls import call

# linux/mount.h
FSOPEN_CLOEXEC = 0x1
FSMOUNT_CLOEXEC = 0x1
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6

# linux/magic.h
PROC_SUPER_MAGIC = 0x9FA0
NSFS_MAGIC = 0x6E736673

_STATFS_BYTES = 120  # struct statfs of 64-bit machines; f_type comes first


def fsopen(fstype: str) -> int:
    """fsopen(2): a descriptor to configure a file system with."""
    return call("fsopen", fstype.encode(), FSOPEN_CLOEXEC, path=fstype)


def fsconfig_flag(fs_fd: int, name: str) -> None:
    """fsconfig(2), FSCONFIG_SET_FLAG."""
    call("fsconfig", fs_fd, FSCONFIG_SET_FLAG, name.encode(), None, 0, path=name)


def fsconfig_string(fs_fd: int, name: str, value: str) -> None:
    """fsconfig(2), FSCONFIG_SET_STRING."""
    call("fsconfig", fs_fd, FSCONFIG_SET_STRING, name.encode(), value.encode(), 0, path=name)


def fsconfig_create(fs_fd: int) -> None:
    """fsconfig(2), FSCONFIG_CMD_CREATE."""
    call("fsconfig", fs_fd, FSCONFIG_CMD_CREATE, None, None, 0)


def fsmount(fs_fd: int, attributes: int = c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NODEV | c.MOUNT_ATTR_NOEXEC) -> int:
    """fsmount(2): an O_PATH descriptor of the root of a detached mount with these MOUNT_ATTR_*."""
    return call("fsmount", fs_fd, FSMOUNT_CLOEXEC, attributes)


def filesystem_type(fd: int) -> int:
    """The magic number of the file system that `fd` is on (fstatfs(2))."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    call("fstatfs", fd, buffer)
    return ctypes.c_long.from_buffer(buffer).value
