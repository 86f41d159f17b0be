"""A block device of the test's own: a loop device on a file (loop(4))."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

LOOP_SET_FD, LOOP_CLR_FD, LOOP_CTL_GET_FREE = 0x4C00, 0x4C01, 0x4C82
SECTOR_BYTES = 512


@contextmanager
def loop_device(path: str, content: bytes) -> Iterator[tuple[int, int]]:
    """(major, minor) of a device that begins with `content`, kept in a new file at `path`."""
    with open(path, "wb") as file:
        file.write(content.ljust(8 * SECTOR_BYTES, b"\0"))
    try:
        control_fd = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        number = fcntl.ioctl(control_fd, LOOP_CTL_GET_FREE)
        os.close(control_fd)
        device_fd = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        pytest.skip(f"no loop devices: {error}")
    file_fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(device_fd, LOOP_SET_FD, file_fd)
    os.close(file_fd)
    try:
        found = os.fstat(device_fd).st_rdev
        yield os.major(found), os.minor(found)
    finally:
        fcntl.ioctl(device_fd, LOOP_CLR_FD)
        os.close(device_fd)
