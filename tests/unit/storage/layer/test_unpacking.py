"""Unpacking in a temporary directory: what needs neither another root nor another owner."""

import io
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sampan.errors import InvalidArgument
from sampan.storage.layer.tarformat import Entry, encode_entry, padding_bytes
from sampan.storage.layer.tarreader import TarReader
from sampan.storage.layer.unpacking import Applied, Limits, OverlayUnpacking, Unpacking

Member = Entry | tuple[Entry, bytes]
Apply = Callable[..., Applied]


def file(name: bytes, content: bytes = b"", **fields: int) -> Member:
    return Entry(name, b"0", size=len(content), **fields), content  # type: ignore[arg-type]


def directory(name: bytes, **fields: int) -> Entry:
    return Entry(name, b"5", **{"mode": 0o755, **fields})  # type: ignore[arg-type]


def symlink(name: bytes, target: bytes) -> Entry:
    return Entry(name, b"2", mode=0o777, linkname=target)


def hard_link(name: bytes, target: bytes) -> Entry:
    return Entry(name, b"1", linkname=target)


def archive_of(*members: Member) -> bytes:
    parts = []
    for member in members:
        entry, content = member if isinstance(member, tuple) else (member, b"")
        parts += [encode_entry(entry), content, bytes(padding_bytes(len(content)))]
    return b"".join(parts)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    (tmp_path / "root").mkdir()
    monkeypatch.chdir(tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture
def apply(root: Path) -> Apply:
    """Applies members to the working directory as an overlay's upper directory."""

    def run(*members: Member, max_entries: int = 1000, max_bytes: int = 1 << 30, max_devices: int = 3) -> Applied:
        return unpack(
            OverlayUnpacking, members, Limits(max_bytes=max_bytes, max_entries=max_entries, max_devices=max_devices)
        )

    return run


def unpack(kind: type[Unpacking], members: tuple[Member, ...], limits: Limits) -> Applied:
    stream = io.BytesIO(archive_of(*members))
    reader = TarReader(stream.readinto)
    unpacking = kind(reader, limits)
    umask = os.umask(0)
    try:
        while entry := reader.next():
            unpacking.add(entry)
        for path, entry in unpacking.directories.items():
            unpacking.finish_directory(path, entry)
    finally:
        os.umask(umask)
    return unpacking.applied


def test_a_file_has_its_content_mode_and_time(root: Path, apply: Apply) -> None:
    apply(file(b"d/f", b"abc", mode=0o4751, mtime_ns=1_234_567_890_123_456_789))
    status = (root / "d/f").stat()
    assert (root / "d/f").read_bytes() == b"abc"
    assert stat.S_IMODE(status.st_mode) == 0o4751
    assert status.st_mtime_ns == 1_234_567_890_123_456_789


def test_times_docker_cannot_hold_become_the_epoch(root: Path, apply: Apply) -> None:
    apply(file(b"early", mtime_ns=-5), file(b"late", mtime_ns=2**63))
    assert (root / "early").stat().st_mtime_ns == (root / "late").stat().st_mtime_ns == 0


def test_a_directory_keeps_its_time_though_files_are_made_in_it(root: Path, apply: Apply) -> None:
    apply(directory(b"d/", mtime_ns=5), file(b"d/f"), directory(b"d/e", mtime_ns=6), file(b"d/e/g"))
    assert ((root / "d").stat().st_mtime_ns, (root / "d/e").stat().st_mtime_ns) == (5, 6)


def test_a_set_group_id_directory_does_not_pass_its_group_on(root: Path, apply: Apply) -> None:
    apply(directory(b"d", mode=0o2775), directory(b"d/e", mode=0o755), file(b"d/f"))
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o2775
    assert stat.S_IMODE((root / "d/e").stat().st_mode) == 0o755
    assert (root / "d/f").stat().st_gid == os.getegid()


@pytest.mark.needs_root  # sets owners or makes devices
def test_missing_parents_are_made(root: Path, apply: Apply) -> None:
    apply(file(b"a/b/c/f"), symlink(b"x/y/s", b"f"), hard_link(b"z/h", b"a/b/c/f"), Entry(b"p/q", b"6"))
    assert stat.S_IMODE((root / "a/b").stat().st_mode) == 0o755
    assert (root / "x/y/s").readlink() == Path("f")
    assert (root / "z/h").stat().st_nlink == 2
    assert (root / "p/q").is_fifo()


def test_the_roots_own_entry_is_left_out(root: Path, apply: Apply) -> None:
    before = stat.S_IMODE(root.stat().st_mode)
    apply(directory(b"./", mode=0o711), directory(b".", mode=0o711), directory(b"/", mode=0o711))
    assert stat.S_IMODE(root.stat().st_mode) == before


@pytest.mark.needs_root  # sets owners or makes devices
def test_the_last_of_equal_names_wins(root: Path, apply: Apply) -> None:
    applied = apply(
        file(b"f", b"first"),
        file(b"f", b"second"),
        directory(b"was_dir"),
        file(b"was_dir/deep/f", b"x" * 100),
        file(b"was_dir", b"now a file"),
        file(b"was_file", b"gone"),
        directory(b"was_file"),
        symlink(b"was_link", b"nowhere"),
        file(b"was_link", b"!"),
        file(b"to_link", b"gone"),
        symlink(b"to_link", b"f"),
    )
    assert (root / "f").read_bytes() == b"second"
    assert (root / "was_dir").read_bytes() == b"now a file"
    assert (root / "was_file").is_dir()
    assert (root / "was_link").read_bytes() == b"!"
    assert (root / "to_link").is_symlink()
    assert applied.size_bytes == len(b"second") + len(b"now a file") + len(b"!") + len(b"f")


@pytest.mark.needs_root  # sets owners or makes devices
def test_a_directory_over_a_directory_is_merged(root: Path, apply: Apply) -> None:
    apply(directory(b"d", mode=0o700), file(b"d/f"), directory(b"d", mode=0o750, mtime_ns=7))
    assert (root / "d/f").exists()
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o750
    assert (root / "d").stat().st_mtime_ns == 7


def test_a_directory_that_gave_way_does_not_leave_its_time_behind(root: Path, apply: Apply) -> None:
    apply(directory(b"d", mtime_ns=5), directory(b"d/e", mtime_ns=6), file(b"d", b"x", mtime_ns=9))
    assert (root / "d").stat().st_mtime_ns == 9


def test_a_symlink_gives_way_and_is_not_written_through(root: Path, apply: Apply) -> None:
    outside = root.parent / "outside"
    outside.write_bytes(b"safe")
    apply(symlink(b"f", b"../outside"), file(b"f", b"evil"))
    assert outside.read_bytes() == b"safe"
    assert (root / "f").read_bytes() == b"evil"


@pytest.mark.needs_root  # sets owners or makes devices
def test_a_symlinked_directory_gives_way_to_a_directory(root: Path, apply: Apply) -> None:
    apply(directory(b"real"), symlink(b"d", b"real"), directory(b"d"), file(b"d/f"))
    assert not (root / "d").is_symlink()
    assert not list((root / "real").iterdir())


def test_a_file_below_a_symlink_lands_where_it_leads_inside_the_root(root: Path, apply: Apply) -> None:
    apply(directory(b"etc"), symlink(b"a", b"etc"), file(b"a/passwd", b"x"))
    assert (root / "etc/passwd").read_bytes() == b"x"


@pytest.mark.parametrize("name", [b"../f", b"a/../../f", b"/../f"])
def test_names_that_lead_out_are_refused(apply: Apply, name: bytes) -> None:
    with pytest.raises(InvalidArgument, match="invalid entry name"):
        apply(file(name, b"x"))


def test_absolute_names_are_below_the_root(root: Path, apply: Apply) -> None:
    apply(file(b"/etc/passwd", b"x"), hard_link(b"/h", b"/etc/passwd"))
    assert (root / "etc/passwd").stat().st_nlink == 2


def test_a_hard_link_to_itself_changes_nothing(root: Path, apply: Apply) -> None:
    apply(file(b"f", b"x"), hard_link(b"f", b"./f"))
    assert (root / "f").read_bytes() == b"x"


def test_a_hard_link_to_nothing_does_not_cost_what_it_would_replace(root: Path, apply: Apply) -> None:
    with pytest.raises(FileNotFoundError):
        apply(file(b"f", b"x"), hard_link(b"f", b"nowhere"))
    assert (root / "f").read_bytes() == b"x"


def test_a_file_below_a_file_is_refused(apply: Apply) -> None:
    with pytest.raises(NotADirectoryError):
        apply(file(b"f"), file(b"f/g"))


def test_sizes_count_as_docker_counts_them(apply: Apply) -> None:
    applied = apply(file(b"f", b"x" * 10), symlink(b"s", b"f/12345"), hard_link(b"h", b"f"), directory(b"d"))
    assert applied.as_dict() == {"entries": 4, "size_bytes": 17, "whiteouts": 0, "devices": 0, "ignored_xattrs": 0}


def test_replacing_one_of_two_hard_links_keeps_the_size(apply: Apply) -> None:
    assert apply(file(b"f", b"12345"), hard_link(b"h", b"f"), file(b"h", b"123")).size_bytes == 8


@pytest.mark.parametrize("entry", [Entry(b"x", b"Z"), Entry(b"x", b"M"), Entry(b"x", b"A")])
def test_an_unknown_type_is_refused_in_dockers_words(apply: Apply, entry: Entry) -> None:
    with pytest.raises(InvalidArgument, match=f"unhandled tar header type {entry.kind[0]}$"):
        apply(entry)


def test_an_owner_no_kernel_has_is_refused(apply: Apply) -> None:
    with pytest.raises(InvalidArgument, match="invalid owner 4294967295:0"):
        apply(file(b"f", uid=2**32 - 1))


def test_an_entry_bomb_is_refused(apply: Apply) -> None:
    with pytest.raises(InvalidArgument, match="more than 3 entries"):
        apply(*[file(b"f%d" % number) for number in range(4)], max_entries=3)


def test_a_size_bomb_is_refused_before_it_is_written(root: Path, apply: Apply) -> None:
    with pytest.raises(InvalidArgument, match=r'more than 10 bytes: at entry "g"'):
        apply(file(b"f", b"x" * 8), file(b"g", b"x" * 8), max_bytes=10)
    assert not (root / "g").exists()


@pytest.mark.needs_root  # sets owners or makes devices
def test_a_device_bomb_is_refused(apply: Apply) -> None:
    with pytest.raises(InvalidArgument, match="more than 3 device nodes"):
        apply(*[Entry(b"d%d" % number, b"3") for number in range(4)])


@pytest.mark.parametrize(("major", "minor"), [(4096, 0), (0, 1 << 20)])
def test_a_device_number_no_kernel_has_is_refused(major: int, minor: int) -> None:
    entry = Entry(b"d", b"3", device_major=major, device_minor=minor)
    with pytest.raises(InvalidArgument, match="invalid device number"):
        OverlayUnpacking(TarReader(lambda view: 0), Limits(max_bytes=1, max_entries=1, max_devices=1)).add(entry)


def test_attributes_of_the_overlay_itself_are_ignored(root: Path, apply: Apply) -> None:
    entry, content = file(b"f")  # type: ignore[misc]
    entry.xattrs = {b"trusted.overlay.opaque": b"y", b"user.overlay.redirect": b"/etc", b"user.kept": b"1"}
    applied = apply((entry, content))
    assert os.listxattr(root / "f") == ["user.kept"]
    assert applied.ignored_xattrs == 2


def test_nothing_is_imported_while_an_archive_is_applied_or_refused(apply: Apply) -> None:
    before = set(sys.modules)
    apply(directory(b"d"), file(b"d/f", b"x"), symlink(b"s", b"x"), file(b"d"), file(b".wh.y"))
    for bad in (file(b"../\xff\n"), Entry(b"\xc3\xa9", b"Z")):
        with pytest.raises(InvalidArgument):
            apply(bad)
    assert set(sys.modules) == before


# Whiteouts


def test_a_whiteout_becomes_a_device_in_an_overlay(root: Path, apply: Apply) -> None:
    applied = apply(file(b".wh.f"), file(b"d/.wh.g"))
    for name in ("f", "d/g"):
        status = (root / name).lstat()
        assert stat.S_ISCHR(status.st_mode)
        assert status.st_rdev == 0
    assert applied.whiteouts == 2
    assert not (root / ".wh.f").exists()


@pytest.mark.parametrize("members", [(file(b".wh.f"), file(b"f", b"x")), (file(b"f", b"x"), file(b".wh.f"))])
def test_a_file_of_the_same_layer_outlives_its_whiteout(root: Path, apply: Apply, members: tuple[Member, ...]) -> None:
    apply(*members)
    assert (root / "f").read_bytes() == b"x"


def test_book_keeping_of_aufs_is_left_out(root: Path, apply: Apply) -> None:
    apply(file(b".wh..wh.aufs"), directory(b".wh..wh.plnk"), directory(b".wh..wh.orph"))
    assert not list(root.iterdir())


@pytest.mark.parametrize("name", [b".wh.", b"d/.wh..", b"d/.wh..."])
def test_a_whiteout_of_no_name_is_refused(apply: Apply, name: bytes) -> None:
    with pytest.raises(InvalidArgument, match="invalid whiteout name"):
        apply(directory(b"d"), file(name))


@pytest.fixture
def copy(root: Path) -> Apply:
    """Applies members to the working directory as a copy of the layers below."""
    if os.geteuid():
        pytest.skip("sets owners, so only root can")

    def run(*members: Member) -> Applied:
        return unpack(Unpacking, members, Limits(max_bytes=1 << 20, max_entries=100, max_devices=10))

    return run


def test_a_whiteout_removes_from_a_copy(root: Path, copy: Apply) -> None:
    (root / "d/deep").mkdir(parents=True)
    (root / "d/deep/f").touch()
    (root / "f").touch()
    copy(file(b".wh.d"), file(b".wh.f"), file(b".wh.nothing"), file(b"none/.wh.nothing"))
    assert not list(root.iterdir())


@pytest.mark.parametrize("opaque_last", [False, True])
def test_an_opaque_directory_of_a_copy_keeps_only_what_its_layer_brings(
    root: Path, copy: Apply, opaque_last: bool
) -> None:
    (root / "d/old").mkdir(parents=True)
    (root / "d/both").mkdir()
    (root / "d/both/old").touch()
    opaque = file(b"d/.wh..wh..opq")
    brought = [directory(b"d"), file(b"d/both/new"), file(b"d/f")]
    copy(*([*brought, opaque] if opaque_last else [opaque, *brought]))
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == ["d", "d/both", "d/both/new", "d/f"]


def test_a_whiteout_spares_what_its_layer_already_brought_to_a_copy(root: Path, copy: Apply) -> None:
    (root / "d").mkdir()
    (root / "d/old").touch()
    copy(file(b"d/new"), file(b".wh.d"))
    assert [path.name for path in (root / "d").iterdir()] == ["new"]
