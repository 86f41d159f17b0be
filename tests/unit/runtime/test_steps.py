"""The steps as far as they need no privilege: what they say, and what they do in a directory that stands for a root."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.linux import constants as c
from sampan.linux.mount import Mount, parse_options
from sampan.runtime.steps import (
    LINKS,
    Bind,
    FileSystem,
    Mask,
    Nodes,
    ReadOnly,
    ReadOnlyAgain,
    Root,
    Step,
    Sysctl,
    _remount_flags,
    set_attributes,
)

FIFO = stat.S_IFIFO | 0o640


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    (tmp_path / "dev").mkdir()
    found = Root(lambda: None)
    found.fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield found
    os.close(found.fd)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (FileSystem(Mount("proc", "proc", "/proc", ["nosuid"])), "mount proc on /proc"),
        (Bind(Mount("bind", "/data", "/srv", ["rbind"])), "bind /data on /srv"),
        (Nodes([("/dev/a", FIFO, 0, 0, 0, 0)]), "make 1 device nodes"),
        (Sysctl("net.ipv4.ip_forward", "1"), "set sysctl net.ipv4.ip_forward"),
        (Mask(["/proc/kcore", "/proc/keys"]), "mask 2 paths"),
        (ReadOnly(["/proc/sys"]), "make 1 paths read-only"),
        (ReadOnlyAgain("/", 0), "remount / read-only"),
    ],
)
def test_a_step_says_what_it_does_as_error_messages_want_it(step: Step, expected: str) -> None:
    assert step.describe() == expected


def test_most_steps_need_nothing_of_the_host() -> None:
    for step in (FileSystem(Mount("tmpfs", "", "/run", [])), Nodes([]), Sysctl("a", "b"), Mask([]), ReadOnly([])):
        step.prepare()


def test_nodes_are_made_with_mode_and_the_links_of_dev_beside_them(root: Root, tmp_path: Path) -> None:
    old = os.umask(0)  # as init has set it by then
    try:
        Nodes([("/dev/pipe", FIFO, 0, 0, 0, 0), ("/dev/deep/er/pipe", FIFO, 0, 0, 0, 0)]).execute(root)
    finally:
        os.umask(old)
    assert (tmp_path / "dev/pipe").lstat().st_mode == FIFO
    assert (tmp_path / "dev/deep/er/pipe").is_fifo()
    assert {name: os.readlink(tmp_path / "dev" / name) for name, _ in LINKS} == dict(LINKS)


def test_nodes_and_links_that_are_there_are_kept(root: Root, tmp_path: Path) -> None:
    (tmp_path / "dev/pipe").write_text("mine")
    (tmp_path / "dev/stdin").symlink_to("mine")
    Nodes([("/dev/pipe", FIFO, 0, 0, 0, 0)]).execute(root)
    assert (tmp_path / "dev/pipe").read_text() == "mine"
    assert os.readlink(tmp_path / "dev/stdin") == "mine"
    assert os.readlink(tmp_path / "dev/stdout") == "/proc/self/fd/1"


def test_nodes_stay_in_the_root_whatever_the_image_made_of_dev(root: Root, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "dev").rmdir()
    (tmp_path / "dev").symlink_to(f"../../../..{outside}")
    (tmp_path / "mapped").symlink_to(outside)
    Nodes([("/dev/pipe", FIFO, 0, 0, 0, 0), ("/mapped/pipe", FIFO, 0, 0, 0, 0)]).execute(root)
    assert os.listdir(outside) == []
    assert (tmp_path / str(outside).lstrip("/") / "pipe").is_fifo()


def test_no_descriptor_is_left_open(root: Root) -> None:
    before = os.listdir("/proc/self/fd")
    Nodes([("/dev/pipe", FIFO, 0, 0, 0, 0)] * 2).execute(root)
    assert os.listdir("/proc/self/fd") == before


def test_a_sysctl_is_the_file_of_its_name(root: Root, tmp_path: Path) -> None:
    path = tmp_path / "proc/sys/net/ipv4/ip_forward"
    path.parent.mkdir(parents=True)
    path.write_text("0")
    Sysctl("net.ipv4.ip_forward", "1").execute(root)
    assert path.read_text() == "1"


def test_an_unknown_sysctl_is_an_error_and_makes_no_file(root: Root, tmp_path: Path) -> None:
    (tmp_path / "proc/sys").mkdir(parents=True)
    with pytest.raises(FileNotFoundError):
        Sysctl("no.such", "1").execute(root)
    assert os.listdir(tmp_path / "proc/sys") == []


def test_a_sysctl_stays_in_the_root_whatever_the_image_made_of_proc(root: Root, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "value").write_text("safe")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/sys").symlink_to(outside)
    with pytest.raises(FileNotFoundError):
        Sysctl("value", "1").execute(root)
    assert (outside / "value").read_text() == "safe"


@pytest.mark.parametrize("kind", [Mask, ReadOnly])
def test_paths_that_are_not_there_are_no_error(root: Root, tmp_path: Path, kind: type[Mask] | type[ReadOnly]) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("/nowhere")
    kind(["/proc/kcore", "/file/below", "/dangling", "/dangling/below"]).execute(root)
    assert sorted(os.listdir(tmp_path)) == ["dangling", "dev", "file"]


def test_a_missing_bind_source_is_found_out_before_the_root_is_entered(tmp_path: Path) -> None:
    bind = Bind(Mount("bind", str(tmp_path / "absent"), "/srv", ["rbind"]))
    # An ordinary user may not clone a mount at all, which comes first.
    with pytest.raises((FileNotFoundError, PermissionError)):
        bind.prepare()
    assert bind.tree_fd == -1


def test_a_plain_bind_needs_no_attributes(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    assert set_attributes(fd, parse_options(["rbind"]))
    os.close(fd)


def test_a_remount_names_again_what_the_kernel_has_locked(tmp_path: Path) -> None:
    fd = os.open("/proc", os.O_PATH)
    mounted = os.fstatvfs(fd).f_flag
    flags = _remount_flags(fd, parse_options(["rbind", "ro"]))
    os.close(fd)
    assert flags & (c.MS_REMOUNT | c.MS_BIND | c.MS_RDONLY) == c.MS_REMOUNT | c.MS_BIND | c.MS_RDONLY
    assert flags & c.MS_REC == 0
    for flag in (c.MS_NOSUID, c.MS_NODEV, c.MS_NOEXEC):
        assert flags & flag == mounted & flag
