"""The reader against archives of Python's tarfile, GNU tar and our own writer, whole and damaged."""

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.errors import InvalidArgument
from sampan.storage.layer import tarformat
from sampan.storage.layer.tarformat import Entry, encode_entry, padding_bytes
from sampan.storage.layer.tarreader import TarReader


def reader_of(archive: bytes, *, step: int = 1 << 20) -> TarReader:
    stream = io.BytesIO(archive)

    def readinto(view: memoryview) -> int:
        return stream.readinto(view[:step])

    return TarReader(readinto)


def read_all(archive: bytes, *, step: int = 1 << 20) -> list[tuple[Entry, bytes]]:
    reader = reader_of(archive, step=step)
    found = []
    while entry := reader.next():
        found.append((entry, reader.read(1 << 40)))
    return found


def python_archive(*members: tuple[str, bytes], format: int = tarfile.PAX_FORMAT, **fields: object) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in fields.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def block(name: bytes, kind: bytes, content: bytes = b"") -> bytes:
    return encode_entry(Entry(name, kind, size=len(content))) + content + bytes(padding_bytes(len(content)))


ENTRIES = st.builds(
    Entry,
    st.binary(min_size=1, max_size=280).filter(lambda name: b"\0" not in name),
    st.sampled_from([b"1", b"2", b"3", b"4", b"5", b"6"]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 2),
    gid=st.integers(0, 2**32 - 2),
    mtime_ns=st.integers(-(2**62), 2**62),
    linkname=st.binary(max_size=250).filter(lambda name: b"\0" not in name),
    device_major=st.just(0),
    xattrs=st.none()
    | st.dictionaries(
        st.binary(min_size=1, max_size=30).filter(lambda key: b"\0" not in key and b"=" not in key),
        st.binary(max_size=100),
        min_size=1,
    ),
)


@given(st.lists(ENTRIES, max_size=5), st.sampled_from([1, 100, 512, 1 << 20]))
def test_what_is_written_is_read_back(entries: list[Entry], step: int) -> None:
    archive = b"".join(encode_entry(entry) for entry in entries) + tarformat.TRAILER
    assert [entry for entry, _ in read_all(archive, step=step)] == entries


@given(st.lists(st.binary(max_size=3000), max_size=6), st.sampled_from([1, 511, 512, 513, 1 << 20]))
def test_contents_are_read_however_the_bytes_arrive(contents: list[bytes], step: int) -> None:
    archive = python_archive(*[(f"f{number}", content) for number, content in enumerate(contents)])
    assert [content for _, content in read_all(archive, step=step)] == contents


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_of_python_is_read(format: int) -> None:
    archive = python_archive(("d/" + "n" * 90, b"abc"), format=format, mode=0o640, uid=7, gid=8, mtime=1234)
    ((entry, content),) = read_all(archive)
    assert content == b"abc"
    assert entry == Entry(b"d/" + b"n" * 90, b"0", mode=0o640, uid=7, gid=8, size=3, mtime_ns=1234 * 10**9)


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_big_owners_are_read(format: int) -> None:
    name, link = "x/" * 300 + "é", "y/" * 300 + "ü"
    archive = python_archive((name, b""), format=format, type=b"2", linkname=link, uid=2**31, gid=2**32 - 2)
    ((entry, _),) = read_all(archive)
    assert (entry.name.decode(), entry.linkname.decode()) == (name, link)
    assert (entry.uid, entry.gid) == (2**31, 2**32 - 2)


def test_pax_times_have_nanoseconds() -> None:
    archive = python_archive(("f", b""), pax_headers={"mtime": "12.000000345"})
    assert read_all(archive)[0][0].mtime_ns == 12_000_000_345


def test_global_pax_records_hold_until_an_entry_says_otherwise() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", pax_headers={"mtime": "5", "SCHILY.xattr.user.a": "g"}) as archive:
        for name, headers in (("one", {}), ("two", {"mtime": "6"})):
            member = tarfile.TarInfo(name)
            member.pax_headers = headers
            archive.addfile(member)
    one, two = (entry for entry, _ in read_all(stream.getvalue()))
    assert (one.mtime_ns, two.mtime_ns) == (5 * 10**9, 6 * 10**9)
    assert one.xattrs == two.xattrs == {b"user.a": b"g"}


def test_an_old_entry_whose_name_ends_in_a_slash_is_a_directory() -> None:
    archive = bytearray(python_archive(("d/", b""), format=tarfile.USTAR_FORMAT))
    archive[156:157] = b"\0"
    archive[148:156] = b" " * 8
    archive[148:156] = b"%06o\0 " % sum(archive[:512])
    assert read_all(bytes(archive))[0][0].kind == tarformat.DIRECTORY


def test_the_size_of_what_has_no_data_is_not_believed() -> None:
    header = encode_entry(Entry(b"d", tarformat.DIRECTORY, size=10_000))
    names = [entry.name for entry, _ in read_all(header + block(b"next", b"0", b"x"))]
    assert names == [b"d", b"next"]


def test_a_volume_label_is_no_entry() -> None:
    assert [entry.name for entry, _ in read_all(block(b"label", b"V") + block(b"f", b"0"))] == [b"f"]


# The end


@pytest.mark.parametrize("ending", [b"", bytes(512), bytes(1024), bytes(10240), bytes(1024) + b"what follows"])
def test_an_archive_ends_at_zeros_or_at_the_end_of_its_stream(ending: bytes) -> None:
    reader = reader_of(block(b"f", b"0", b"abc") + ending)
    assert reader.next() is not None
    assert reader.next() is None
    assert reader.drain() == max(len(ending) - 1024, 0)


@pytest.mark.parametrize("missing", [1, 100, 508, 509])
def test_padding_may_be_missing_at_the_very_end(missing: int) -> None:
    archive = block(b"f", b"0", b"abc")[:-missing]
    assert [content for _, content in read_all(archive)] == [b"abc"]


def test_one_zero_block_before_more_entries_is_damage() -> None:
    with pytest.raises(InvalidArgument, match="invalid tar header"):
        read_all(block(b"f", b"0") + bytes(512) + block(b"g", b"0"))


# Damage


def test_truncation_anywhere_but_between_entries_is_noticed_and_named() -> None:
    name = b"n" * 150
    archive = block(name, b"0", b"c" * 700) + block(b"second", b"0", b"d")
    accepted = []
    for length in range(1, len(archive) - 511):
        try:
            read_all(archive[:length])
        except InvalidArgument as error:
            assert "unexpected EOF" in str(error)
            if length >= 512:
                assert '"' in str(error)
        else:
            accepted.append(length)
    end_of_first = len(archive) - 1024
    padding = padding_bytes(700)
    assert accepted == list(range(end_of_first - padding, end_of_first + 1))


@pytest.mark.parametrize("garbage", [b"hello world" * 100, b"\xff" * 512, b"\0" * 511 + b"x"])
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(InvalidArgument, match="invalid tar header"):
        read_all(garbage)


@pytest.mark.parametrize("size", [2**33 - 1, 2**62])
def test_a_size_beyond_the_stream_is_refused_without_being_allocated(size: int) -> None:
    archive = encode_entry(Entry(b"liar", b"0", size=size)) + b"little"
    with pytest.raises(InvalidArgument, match=r'archive entry "liar": unexpected EOF'):
        read_all(archive)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_huge_extended_header_is_refused(kind: bytes) -> None:
    with pytest.raises(InvalidArgument, match="extended header is too large"):
        read_all(encode_entry(Entry(b"h", kind, size=2**30)))


@pytest.mark.parametrize("records", [b"junk", b"10 size=-1\n", b"12 size=1e3\n", b"11 mtime=x\n", b"9 uid=-1\n"])
def test_bad_pax_records_are_refused(records: bytes) -> None:
    with pytest.raises(InvalidArgument, match="archive entry"):
        read_all(block(b"h", b"x", records) + block(b"f", b"0"))


def test_an_extended_header_without_its_entry_is_truncation() -> None:
    with pytest.raises(InvalidArgument, match="unexpected EOF"):
        read_all(block(b"h", b"x", b"9 path=a\n"))


def test_endless_global_records_are_refused() -> None:
    def headers() -> bytes:
        parts = []
        for start in range(0, 6000, 1000):
            records = b"".join(b"11 k%04d=v\n" % number for number in range(start, start + 1000))
            parts.append(block(b"g", b"g", records))
        return b"".join(parts)

    with pytest.raises(InvalidArgument, match="too many global"):
        read_all(headers())


@given(st.binary(max_size=2000))
def test_anything_at_all_is_read_or_refused(garbage: bytes) -> None:
    try:
        read_all(garbage)
    except InvalidArgument:
        pass


@given(st.integers(0, 2047), st.integers(0, 255))
def test_a_damaged_archive_is_read_or_refused(position: int, value: int) -> None:
    records = b"29 SCHILY.xattr.user.a=1234\n\n" + b"20 mtime=123.456789\n"
    archive = bytearray(block(b"h", b"x", records) + block(b"f", b"0", b"abc"))
    archive[position] = value
    try:
        read_all(bytes(archive))
    except InvalidArgument:
        pass


# Sparse files


def holed_file(directory: Path, pieces: int) -> bytes:
    with (directory / "holed").open("wb") as file:
        for number in range(pieces):
            file.seek(number * 65536 + 32768)
            file.write(bytes([number % 255 + 1]) * 4096)
        file.truncate(pieces * 65536 + 100_000)
    return (directory / "holed").read_bytes()


SPARSE_FORMATS = ["--format=gnu", *(f"--format=pax --sparse-version={version}" for version in ("0.0", "0.1", "1.0"))]


@pytest.mark.parametrize("pieces", [0, 1, 4, 5, 25, 80])
@pytest.mark.parametrize("options", SPARSE_FORMATS)
def test_sparse_files_of_gnu_tar_keep_content_and_holes(tmp_path: Path, options: str, pieces: int) -> None:
    expected = holed_file(tmp_path, pieces)
    (tmp_path / "after").write_bytes(b"after")
    command = ["tar", "-c", "-S", *options.split(), "-C", str(tmp_path), "holed", "after"]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    reader = reader_of(archive)
    entry = reader.next()
    assert entry is not None
    assert (entry.name, entry.size, entry.kind) == (b"holed", len(expected), b"0")
    with (tmp_path / "copy").open("wb") as copy:
        reader.copy_sparse_to(copy.fileno(), entry)
        assert os.fstat(copy.fileno()).st_blocks * 512 < max(len(expected) // 2, 1)
    assert (tmp_path / "copy").read_bytes() == expected
    after = reader.next()
    assert after is not None
    assert (after.name, reader.read(10)) == (b"after", b"after")


@pytest.mark.parametrize(
    "records",
    [
        b"GNU.sparse.map=0,5",
        b"GNU.sparse.map=0,99,5,5",
        b"GNU.sparse.map=0",
        b"GNU.sparse.map=a,b",
        b"GNU.sparse.numblocks=1",
    ],
)
def test_a_lying_sparse_map_is_refused(records: bytes) -> None:
    line = b" " + records + b"\n"
    size = b"22 GNU.sparse.size=10\n\n"[:22]
    payload = b"%d" % (len(line) + 2) + line + size[:-1].replace(b"22", b"22") + b"\n"
    with pytest.raises(InvalidArgument, match=r'archive entry "f": .*'):
        read_all(block(b"h", b"x", payload) + block(b"f", b"0", b"12345678"))


def test_an_endless_inline_sparse_map_is_refused() -> None:
    values = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.realsize": b"10"}
    from_pax = b"".join(tarformat.pax.format_record(key, value) for key, value in values.items())
    with pytest.raises(InvalidArgument, match="sparse map is too large"):
        read_all(block(b"h", b"x", from_pax) + block(b"f", b"0", b"99999999\n" + b"1" * 4096))


# Copying to files


def from_pipe(tmp_path: Path, feed: Callable[[], bytes]) -> TarReader:
    """A reader of a pipe that holds all it will ever hold."""
    read_fd, write_fd = os.pipe()
    content = feed()
    assert os.write(write_fd, content) == len(content)
    os.close(write_fd)
    return TarReader.from_fd(read_fd)


def test_a_file_comes_through_a_pipe(tmp_path: Path) -> None:
    content = os.urandom(40_000)
    reader = from_pipe(tmp_path, lambda: block(b"f", b"0", content))
    reader.next()
    with (tmp_path / "copy").open("wb") as copy:
        reader.copy_to(copy.fileno())
    assert (tmp_path / "copy").read_bytes() == content
    assert reader.next() is None


def test_a_big_file_comes_through_a_pipe_and_the_next_entry_after_it(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "archive").write_bytes(block(b"big", b"0", content) + block(b"small", b"0", b"s"))
    with subprocess.Popen(["cat", str(tmp_path / "archive")], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        reader = TarReader.from_fd(cat.stdout.fileno())
        reader.next()
        with (tmp_path / "copy").open("wb") as copy:
            reader.copy_to(copy.fileno())
        small = reader.next()
        assert small is not None
        assert reader.read(5) == b"s"
        reader.drain()
    assert (tmp_path / "copy").read_bytes() == content


def test_data_left_unread_is_skipped() -> None:
    reader = reader_of(block(b"a", b"0", b"x" * 700_000) + block(b"b", b"0"), step=1000)
    reader.next()
    assert reader.read(10) == b"x" * 10
    entry = reader.next()
    assert entry is not None
    assert entry.name == b"b"
