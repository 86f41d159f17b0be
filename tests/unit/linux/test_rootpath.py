import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.linux import rootpath


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").write_text("of the host")
    fd = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_no_way_of_writing_a_path_leaves_the_root(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/up").symlink_to("../outside")
    (tmp_path / "root/absolute").symlink_to(tmp_path / "outside")
    for unsafe in ("../outside", "/../../outside", "up", "absolute", str(tmp_path / "outside")):
        with pytest.raises(FileNotFoundError):
            rootpath.open_in_root(root, unsafe, os.O_RDONLY)


def test_magic_links_are_refused(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/magic").symlink_to("/proc/self/cwd")
    with pytest.raises(OSError):
        rootpath.open_in_root(root, "magic", os.O_RDONLY)


def test_missing_directories_are_made_inside(root: int, tmp_path: Path) -> None:
    os.close(rootpath.open_or_create_directory(root, "/a/b/c/d"))
    assert (tmp_path / "root/a/b/c/d").is_dir()


def test_a_dangling_link_is_made_good_inside_the_root(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/var").symlink_to("/elsewhere/var")
    os.close(rootpath.open_or_create_directory(root, "/var/lib"))
    assert (tmp_path / "root/elsewhere/var/lib").is_dir()
    assert not Path("/elsewhere").exists()


def test_a_loop_of_links_is_an_error(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/a").symlink_to("b")
    (tmp_path / "root/b").symlink_to("a")
    with pytest.raises(OSError):
        rootpath.open_or_create_directory(root, "/a/x")


def test_a_file_in_the_way_is_an_error(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/file").write_text("")
    with pytest.raises(NotADirectoryError):
        rootpath.open_or_create_directory(root, "/file/x")


def test_a_file_is_made_with_its_parents_and_an_existing_one_is_kept(root: int, tmp_path: Path) -> None:
    os.close(rootpath.open_or_create_file(root, "/etc/hosts"))
    (tmp_path / "root/etc/hosts").write_text("kept")
    os.close(rootpath.open_or_create_file(root, "/etc/hosts"))
    assert (tmp_path / "root/etc/hosts").read_text() == "kept"


def test_a_dangling_link_to_a_file_is_made_good_inside_the_root(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir()
    (tmp_path / "root/etc/localtime").symlink_to("../usr/share/zone")
    (tmp_path / "root/etc/absolute").symlink_to("/usr/lib/deep/file")
    for name in ("localtime", "absolute"):
        os.close(rootpath.open_or_create_file(root, f"/etc/{name}"))
    assert (tmp_path / "root/usr/share/zone").is_file()
    assert (tmp_path / "root/usr/lib/deep/file").is_file()
    assert (tmp_path / "root/etc/localtime").is_symlink()


def test_links_can_be_refused_anywhere_in_a_path(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/link").symlink_to("a")
    os.close(rootpath.open_in_root(root, "/a/b", os.O_PATH, follow=False))
    for unsafe in ("/link", "/link/b"):
        with pytest.raises(OSError) as caught:
            rootpath.open_in_root(root, unsafe, os.O_PATH, follow=False)
        assert caught.value.errno == errno.ELOOP


def test_the_root_itself_cannot_be_made(root: int) -> None:
    with pytest.raises(FileNotFoundError):
        rootpath.create_directory(root, "/")
