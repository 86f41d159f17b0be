"""On the machine's own /proc; what needs a mount of one's own is in tests/integration/test_process_attributes.py."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.linux import trustedproc


@pytest.fixture
def proc() -> Iterator[int]:
    fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_files_of_the_calling_thread_are_read(proc: int) -> None:
    assert trustedproc.read_self(proc, "comm").strip() == Path("/proc/self/comm").read_bytes().strip()


def test_files_are_opened_close_on_exec(proc: int) -> None:
    fd = trustedproc.open_self(proc, "comm")
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_a_magic_link_is_not_followed(proc: int) -> None:
    with pytest.raises(OSError) as caught:
        trustedproc.open_self(proc, "fd/0")
    assert caught.value.errno == errno.ELOOP
    assert caught.value.filename == "/proc/thread-self/fd/0"


def test_nothing_outside_is_reached(proc: int) -> None:
    with pytest.raises(OSError) as caught:
        trustedproc.open_file(proc, "../etc/passwd", os.O_RDONLY)
    assert caught.value.errno == errno.EXDEV


def test_a_directory_is_no_file(proc: int) -> None:
    with pytest.raises(trustedproc.NotGenuine):
        trustedproc.open_self(proc, "fdinfo")


def test_a_directory_that_only_looks_like_procfs_is_told_from_it(tmp_path: Path) -> None:
    (tmp_path / "thread-self" / "attr").mkdir(parents=True)
    (tmp_path / "thread-self" / "attr" / "exec").touch()
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    with pytest.raises(trustedproc.NotGenuine, match="not a file of procfs"):
        trustedproc.write_self(fd, "attr/exec", "exec something")
    assert not (tmp_path / "thread-self" / "attr" / "exec").read_bytes()
    with pytest.raises(trustedproc.NotGenuine):
        trustedproc._check_root(fd)  # which closes it


def test_a_part_of_procfs_is_not_its_root() -> None:
    with pytest.raises(trustedproc.NotGenuine):
        trustedproc._check_root(os.open("/proc/self", os.O_PATH | os.O_DIRECTORY))


def test_namespaces_are_opened_and_nothing_else(proc: int) -> None:
    fd = trustedproc.open_namespace(proc, "net")
    assert os.fstat(fd).st_ino == os.stat("/proc/self/ns/net").st_ino
    os.close(fd)
    with pytest.raises(FileNotFoundError):
        trustedproc.open_namespace(proc, "nothing")


def test_an_error_of_a_write_names_the_file(proc: int) -> None:
    with pytest.raises(OSError) as caught:
        trustedproc.write_self(proc, "oom_score_adj", "much")
    assert caught.value.errno == errno.EINVAL
    assert caught.value.filename == "/proc/thread-self/oom_score_adj"


def test_a_procfs_can_always_be_had() -> None:
    fd = trustedproc.open_proc()
    assert trustedproc.read_self(fd, "comm")
    os.close(fd)
