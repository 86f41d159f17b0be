import errno
import os
from pathlib import Path

import pytest

from sampan.runtime import copyup


def filled(source: Path, volume: Path) -> None:
    here, there = os.open(source, os.O_RDONLY), os.open(volume, os.O_RDONLY)
    try:
        copyup.fill(here, there)
    finally:
        os.close(here)
        os.close(there)


def test_an_empty_volume_gets_files_links_modes_and_times(tmp_path: Path) -> None:
    source, volume = tmp_path / "image", tmp_path / "volume"
    (source / "deep").mkdir(parents=True)
    volume.mkdir()
    (source / "deep/file").write_bytes(b"x" * 100_000)
    (source / "deep/file").chmod(0o4755)
    os.utime(source / "deep/file", ns=(1, 123456789))
    (source / "link").symlink_to("/nowhere")
    os.link(source / "deep/file", source / "second")
    os.mkfifo(source / "fifo")
    source.chmod(0o1777)
    filled(source, volume)
    assert (volume / "deep/file").read_bytes() == b"x" * 100_000
    found = (volume / "deep/file").stat()
    assert (found.st_mode & 0o7777, found.st_mtime_ns, found.st_nlink) == (0o4755, 123456789, 2)
    assert os.readlink(volume / "link") == "/nowhere"
    assert (volume / "second").samefile(volume / "deep/file")
    assert (volume / "fifo").is_fifo()
    assert volume.stat().st_mode & 0o7777 == 0o1777


def test_a_volume_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    source, volume = tmp_path / "image", tmp_path / "volume"
    source.mkdir()
    volume.mkdir()
    (source / "new").write_text("")
    (volume / "old").write_text("")
    filled(source, volume)
    assert os.listdir(volume) == ["old"]


def test_a_mode_that_was_chosen_for_the_target_stays(tmp_path: Path) -> None:
    source, target = tmp_path / "image", tmp_path / "tmpfs"
    source.mkdir()
    target.mkdir()
    (source / "file").write_text("x")
    source.chmod(0o711)
    target.chmod(0o700)
    here, there = os.open(source, os.O_RDONLY), os.open(target, os.O_RDONLY)
    copyup.fill(here, there, with_mode=False)
    os.close(here)
    os.close(there)
    assert (target / "file").read_text() == "x"
    assert target.stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_attributes_that_the_target_cannot_have_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    source, target = tmp_path / "image", tmp_path / "tmpfs"
    source.mkdir()
    target.mkdir()
    (source / "file").write_text("x")
    monkeypatch.setattr(os, "listxattr", lambda _: ["security.capability"])
    monkeypatch.setattr(os, "getxattr", lambda *_: b"x")
    monkeypatch.setattr(os, "setxattr", refuse)
    filled(source, target)
    assert (target / "file").read_text() == "x"


def test_other_failures_of_attributes_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    source, target = tmp_path / "image", tmp_path / "tmpfs"
    source.mkdir()
    target.mkdir()
    monkeypatch.setattr(os, "listxattr", lambda _: ["user.x"])
    monkeypatch.setattr(os, "getxattr", lambda *_: b"x")
    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(OSError, match="full"):
        filled(source, target)
