import os

import pytest

from sampan.linux import newmount


def test_the_type_of_a_file_system_is_read_of_a_descriptor() -> None:
    fd = os.open("/proc/self/status", os.O_RDONLY)
    assert newmount.filesystem_type(fd) == newmount.PROC_SUPER_MAGIC
    os.close(fd)
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    assert newmount.filesystem_type(fd) == newmount.NSFS_MAGIC
    os.close(fd)


def test_a_path_descriptor_is_enough() -> None:
    fd = os.open("/proc", os.O_PATH)
    assert newmount.filesystem_type(fd) == newmount.PROC_SUPER_MAGIC
    os.close(fd)


def test_a_closed_descriptor_is_an_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        newmount.filesystem_type(1 << 20)


def test_an_unknown_file_system_is_named_in_the_error() -> None:
    with pytest.raises(OSError) as caught:
        newmount.fsopen("sampanfs")
    assert caught.value.filename == "sampanfs"
