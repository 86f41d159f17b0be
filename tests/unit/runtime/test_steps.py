"""The base of the steps and file systems, as far as they need no privilege."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.linux.mount import Mount
from sampan.runtime.steps import (
    FileSystem,
    Root,
    Step,
    Sysctl,
    _absolute_layers,
    check_place,
    open_place,
    sysctl_path,
)


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
        (Sysctl("net.ipv4.ip_forward", "1"), "set sysctl net.ipv4.ip_forward"),
    ],
)
def test_a_step_says_what_it_does_as_error_messages_want_it(step: Step, expected: str) -> None:
    assert step.describe() == expected


def test_most_steps_need_nothing_of_the_host() -> None:
    for step in (FileSystem(Mount("tmpfs", "", "/run", [])), Sysctl("a", "b")):
        step.share()
        step.prepare()


# where something may be mounted


@pytest.mark.parametrize("target", ["/", "/process", "/procfs/x", "/srv/proc/x", "/proc/meminfo", "/proc/stat"])
def test_most_places_take_any_mount(target: str) -> None:
    check_place(target, is_procfs=False)


@pytest.mark.parametrize("target", ["/proc/self", "/proc/sys", "/proc/sys/kernel/core_pattern", "/proc/meminfo/x"])
@pytest.mark.parametrize("is_procfs", [True, False])
def test_nothing_goes_inside_proc(target: str, is_procfs: bool) -> None:
    with pytest.raises(PermissionError, match="inside /proc"):
        check_place(target, is_procfs=is_procfs)


def test_only_a_procfs_goes_onto_proc() -> None:
    check_place("/proc", is_procfs=True)
    with pytest.raises(PermissionError, match="not of type proc"):
        check_place("/proc", is_procfs=False)


@pytest.mark.parametrize(
    ("mount", "text"),
    [
        (Mount("tmpfs", "", "/proc", []), "not of type proc"),
        (Mount("sysfs", "", "/proc/sys", []), "inside /proc"),
        (Mount("tmpfs", "", "/", []), "on `/` is not supported"),
        (Mount("", "", "/srv", []), "invalid mount type"),
    ],
)
def test_a_file_system_that_must_not_be_is_found_out_before_anything_is_mounted(mount: Mount, text: str) -> None:
    with pytest.raises(OSError, match=text):
        FileSystem(mount).prepare()


def test_a_link_is_followed_inside_the_root_and_a_plain_place_needs_no_second_look(root: Root, tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "link").symlink_to("/srv")
    for target in ("/srv", "/link"):
        fd = open_place(root.fd, target)
        assert os.path.samestat(os.fstat(fd), os.stat(tmp_path / "srv"))
        os.close(fd)
    with pytest.raises(FileNotFoundError):
        open_place(root.fd, "/missing")


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_procfs_and_sysfs_want_an_ordinary_directory(root: Root, tmp_path: Path, kind: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / kind).symlink_to("elsewhere")
    with pytest.raises(OSError, match="must be mounted on ordinary directory"):
        FileSystem(Mount(kind, kind, f"/{kind}", [])).execute(root)
    (tmp_path / kind).unlink()
    (tmp_path / kind).write_text("")
    with pytest.raises(OSError, match="ordinary directory"):
        FileSystem(Mount(kind, kind, f"/{kind}", [])).execute(root)


# overlays


def test_the_layers_of_an_overlay_are_named_from_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = _absolute_layers("lowerdir=a:/b:c,upperdir=up,workdir=/w,index=off,userxattr")
    assert found == f"lowerdir={tmp_path}/a:/b:{tmp_path}/c,upperdir={tmp_path}/up,workdir=/w,index=off,userxattr"


# kernel parameters


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
    ],
)
def test_a_sysctl_is_the_file_of_its_name(name: str, path: str) -> None:
    assert sysctl_path(name) == path


def test_a_sysctl_cannot_lead_elsewhere() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        Sysctl("net/../../self/oom_score_adj", "1").execute(Root(lambda: None))


def test_an_unknown_sysctl_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        Sysctl("no.such", "1").execute(Root(lambda: None))
