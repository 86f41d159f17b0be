import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from sampan.storage.layer.diff import ChangeKind, changes, changeset


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    """A directory as an overlay's upper one."""
    directory = tmp_path / "upper"
    directory.mkdir()
    return directory


def members_of(upper: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(changeset(str(upper))))) as archive:
        return archive.getmembers()


def test_an_empty_directory_is_an_empty_archive(upper: Path) -> None:
    assert members_of(upper) == []


def test_entries_are_sorted_with_directories_before_their_contents(upper: Path) -> None:
    for name in ("b/z", "b/a/f", "a", "b.c"):
        (upper / name).parent.mkdir(parents=True, exist_ok=True)
        (upper / name).touch()
    assert [member.name for member in members_of(upper)] == ["a", "b", "b/a", "b/a/f", "b/z", "b.c"]


def test_every_kind_of_file_is_an_entry_but_a_socket(upper: Path) -> None:
    (upper / "file").write_bytes(b"content")
    os.link(upper / "file", upper / "hard")
    (upper / "soft").symlink_to("nowhere")
    os.mkfifo(upper / "fifo")
    (upper / "dir").mkdir()
    os.mknod(upper / "socket", stat.S_IFSOCK)
    kinds = {member.name: (member.type, member.linkname) for member in members_of(upper)}
    assert kinds == {
        "dir": (tarfile.DIRTYPE, ""),
        "fifo": (tarfile.FIFOTYPE, ""),
        "file": (tarfile.REGTYPE, ""),
        "hard": (tarfile.LNKTYPE, "file"),
        "soft": (tarfile.SYMTYPE, "nowhere"),
    }


def test_contents_modes_times_and_attributes_are_kept(upper: Path) -> None:
    (upper / "f").write_bytes(b"x" * 1_500_000)
    os.chmod(upper / "f", 0o4711)
    os.setxattr(upper / "f", "user.a", b"\0\n1")
    os.utime(upper / "f", ns=(5, 1_234_567_890_123_456_789))
    archive = b"".join(changeset(str(upper)))
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        (member,) = opened.getmembers()
        content = opened.extractfile(member)
        assert content is not None
        assert content.read() == b"x" * 1_500_000
    assert member.mode == 0o4711
    assert member.pax_headers["mtime"] == "1234567890.123456789"
    assert b"SCHILY.xattr.user.a=\0\n1\n" in archive


def test_a_whiteout_is_named_after_what_it_hides(upper: Path) -> None:
    (upper / "d").mkdir()
    os.mknod(upper / "d/gone", stat.S_IFCHR, 0)
    assert [(member.name, member.size, member.type) for member in members_of(upper)] == [
        ("d", 0, tarfile.DIRTYPE),
        ("d/.wh.gone", 0, tarfile.REGTYPE),
    ]


def test_a_symlinked_directory_is_not_followed(upper: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/f").touch()
    (upper / "link").symlink_to(tmp_path / "secret")
    assert [member.name for member in members_of(upper)] == ["link"]


def test_a_file_that_shrinks_while_it_is_read_leaves_a_whole_archive(upper: Path) -> None:
    (upper / "a").write_bytes(b"x" * 5000)
    (upper / "b").touch()
    stream = changeset(str(upper))
    parts = [next(stream)]
    os.truncate(upper / "a", 100)
    parts += stream
    with tarfile.open(fileobj=io.BytesIO(b"".join(parts))) as archive:
        assert [(member.name, member.size) for member in archive] == [("a", 5000), ("b", 0)]


def test_a_file_that_vanishes_while_the_tree_is_read_is_left_out(upper: Path) -> None:
    for name in ("a", "b", "c/d"):
        (upper / name).parent.mkdir(exist_ok=True)
        (upper / name).touch()
    stream = changeset(str(upper))
    parts = [next(stream)]
    os.unlink(upper / "b")
    os.unlink(upper / "c/d")
    os.rmdir(upper / "c")
    parts += stream
    with tarfile.open(fileobj=io.BytesIO(b"".join(parts))) as archive:
        assert archive.getnames() == ["a"]


def test_a_tree_deeper_than_pythons_stack_is_walked(upper: Path) -> None:
    depth = 300
    (upper / "/".join("d" * depth)).mkdir(parents=True)
    assert len(members_of(upper)) == depth


def test_an_abandoned_walk_leaves_no_descriptor_open(upper: Path) -> None:
    (upper / "a/b/c").mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))
    stream = changeset(str(upper))
    next(stream)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(os.listdir("/proc/self/fd")) == before


def test_changes_are_marked_as_docker_diff_marks_them(upper: Path) -> None:
    (upper / "etc").mkdir()
    (upper / "etc/new").touch()
    os.mknod(upper / "gone", stat.S_IFCHR, 0)
    found = list(changes(str(upper), exists_below=lambda path: path in (b"/etc", b"/gone")))
    assert found == [
        (b"/etc", ChangeKind.MODIFIED),
        (b"/etc/new", ChangeKind.ADDED),
        (b"/gone", ChangeKind.DELETED),
    ]
