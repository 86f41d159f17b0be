"""Binds as far as they need no privilege: what is refused, which links are made, what a remount has to name."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.linux import constants as c
from sampan.linux.mount import Mount, parse_options
from sampan.runtime.binds import Bind, Remount, remount_flags, set_attributes
from sampan.runtime.steps import Root


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    (tmp_path / "root").mkdir()
    found = Root(lambda: None)
    found.fd = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    yield found
    os.close(found.fd)


def bind(source: Path, target: str, *options: str) -> Bind:
    return Bind(Mount("bind", str(source), target, list(options)))


def test_binds_and_remounts_say_what_they_do() -> None:
    assert bind(Path("/data"), "/srv", "rbind").describe() == "bind /data on /srv"
    assert Remount(Mount("", "", "/srv", []), parse_options(["remount", "ro"])).describe() == "remount /srv"


def test_a_missing_source_is_found_out_before_the_root_is_entered(tmp_path: Path) -> None:
    step = bind(tmp_path / "absent", "/srv", "rbind")
    # An ordinary user may not clone a mount at all, which comes first.
    with pytest.raises((FileNotFoundError, PermissionError)):
        step.prepare()
    assert step.tree_fd == -1


def test_a_late_source_is_looked_up_when_its_turn_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    step = Bind(Mount("bind", "absent", "/srv", ["bind"]), is_late=True)
    step.share()
    step.prepare()
    assert (step.tree_fd, step.mount.source) == (-1, f"{tmp_path}/absent")


@pytest.mark.parametrize("words", [[], ["rprivate"], ["unbindable"]])
def test_only_what_is_to_be_tied_to_the_host_is_cloned_in_its_namespace(tmp_path: Path, words: list[str]) -> None:
    bind(tmp_path / "absent", "/srv", "rbind", *words).share()


def test_a_plain_bind_needs_no_attributes(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    assert set_attributes(fd, parse_options(["rbind"]))
    os.close(fd)


def test_a_remount_names_again_what_the_kernel_has_locked() -> None:
    fd = os.open("/proc", os.O_PATH)
    mounted = os.fstatvfs(fd).f_flag
    flags = remount_flags(fd, parse_options(["rbind", "ro"]))
    os.close(fd)
    assert flags & (c.MS_REMOUNT | c.MS_BIND | c.MS_RDONLY) == c.MS_REMOUNT | c.MS_BIND | c.MS_RDONLY
    assert flags & c.MS_REC == 0
    for flag in (c.MS_NOSUID, c.MS_NODEV, c.MS_NOEXEC):
        assert flags & flag == mounted & flag


# copy-symlink


def test_a_link_is_copied_as_it_is_with_its_parents(root: Root, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("to/nowhere")
    step = bind(tmp_path / "link", "/a/b", "bind", "copy-symlink")
    step.prepare()
    step.execute(root)
    step.execute(root)  # the same link is no error
    assert os.readlink(tmp_path / "root/a/b") == "to/nowhere"


@pytest.mark.parametrize("in_the_way", ["other", ""])
def test_a_link_does_not_take_the_place_of_something_else(root: Root, tmp_path: Path, in_the_way: str) -> None:
    (tmp_path / "link").symlink_to("to/nowhere")
    place = tmp_path / "root/a"
    if in_the_way:
        place.symlink_to(in_the_way)
    else:
        place.write_text("")
    step = bind(tmp_path / "link", "/a", "bind", "copy-symlink")
    step.prepare()
    with pytest.raises(FileExistsError, match="different content"):
        step.execute(root)


@pytest.mark.parametrize("word", ["src-nofollow", "dest-nofollow"])
def test_a_link_is_either_copied_or_bound(tmp_path: Path, word: str) -> None:
    (tmp_path / "link").symlink_to("x")
    with pytest.raises(OSError, match="mutually exclusive"):
        bind(tmp_path / "link", "/a", "bind", "copy-symlink", word).prepare()
