import fcntl
import os
import signal
from pathlib import Path

import pytest

from sampan.linux import constants as c
from sampan.linux import idmap
from support import children

_NS_GET_USERNS = 0xB701  # ioctl_ns(2)


def test_a_process_is_found_in_proc_whatever_number_its_parent_knows() -> None:
    pidfd = os.pidfd_open(os.getpid())
    assert idmap._number_in_proc(pidfd) == str(os.getpid())
    os.close(pidfd)


def test_mappings_are_written_at_once_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "uid_map").write_text("")
    idmap._write(str(tmp_path / "uid_map"), [(0, 100000, 65536), (65536, 5, 1)])
    assert (tmp_path / "uid_map").read_text() == "0 100000 65536\n65536 5 1\n"


def test_what_is_no_detached_mount_cannot_be_mapped(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    namespace = os.open("/proc/self/ns/user", os.O_RDONLY)
    with pytest.raises(OSError, match="mount_setattr: "):
        idmap.map_mount(fd, namespace)
    os.close(namespace)
    os.close(fd)


@pytest.mark.needs_root
def test_namespaces_that_are_born_together_belong_together() -> None:
    found = idmap.namespace_fds([(0, 100000, 10)], [(0, 200000, 10)], more=c.CLONE_NEWNET, kinds=("network",))
    links = {kind: os.readlink(f"/proc/self/fd/{fd}") for kind, fd in found.items()}
    owner = fcntl.ioctl(found["network"], _NS_GET_USERNS)
    assert os.path.samestat(os.fstat(owner), os.fstat(found["user"]))
    assert links["user"] != os.readlink("/proc/self/ns/user") and links["network"].startswith("net:")
    for fd in (*found.values(), owner):
        os.close(fd)


@pytest.mark.needs_root
def test_a_mapping_that_the_kernel_refuses_leaves_neither_descriptor_nor_child() -> None:
    def life() -> None:
        before = os.listdir("/proc/self/fd")
        with pytest.raises(OSError, match="write id mappings: "):
            idmap.namespace_fds([(0, 0, 0)], [(0, 0, 1)])
        assert os.listdir("/proc/self/fd") == before
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    assert children.code_of(life) == 0


@pytest.mark.needs_root
def test_whoever_ignores_its_children_can_make_one_too() -> None:
    def life() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        os.close(idmap.userns_fd([(0, 100000, 10)], [(0, 100000, 10)]))

    assert children.code_of(life) == 0
