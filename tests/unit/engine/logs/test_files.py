"""A reader of a rotated log sees every line once, in order, whatever the writer does meanwhile."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.engine.logs import files
from sampan.engine.logs.files import LogFiles
from sampan.logs.writer import LogFile


@pytest.fixture
def log_path(tmp_path: Path) -> str:
    return str(tmp_path / "c-json.log")


def lines(count: int, start: int = 0) -> bytes:
    return b"".join(b"line %d\n" % n for n in range(start, start + count))


def put(path: str, text: bytes) -> None:
    with open(path, "ab") as file:
        file.write(text)


def rest(reader: LogFiles, *, follow: bool = False) -> bytes:
    out = b""
    while block := reader.read(follow=follow):
        out += block
    return out


def read_all(path: str, *, tail: int | None = None) -> bytes:
    reader = LogFiles(path)
    reader.open(tail=tail)
    try:
        return rest(reader)
    finally:
        reader.close()


def test_a_missing_log_is_empty(log_path: str) -> None:
    assert read_all(log_path) == b""
    assert read_all(log_path, tail=3) == b""


def test_files_are_read_from_the_oldest(log_path: str) -> None:
    put(log_path + ".2", lines(2))
    put(log_path + ".1", lines(2, 2))
    put(log_path, lines(2, 4))
    assert read_all(log_path) == lines(6)


@pytest.mark.parametrize("tail", range(9))
def test_tail_counts_lines_across_files(log_path: str, tail: int) -> None:
    put(log_path + ".1", lines(3))
    put(log_path, lines(4, 3) + b"unfinished")
    assert read_all(log_path, tail=tail) == lines(min(tail, 7), max(0, 7 - tail))


@given(st.integers(0, 70), st.integers(1, 40))
def test_tail_finds_its_line_at_any_block_boundary(tail: int, block_bytes: int) -> None:
    descriptor = os.memfd_create("log")
    try:
        os.write(descriptor, lines(60))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "BLOCK_BYTES", block_bytes)
            offset, found = files._line_from_end(descriptor, tail)
        assert os.pread(descriptor, 10000, offset) == lines(min(tail, 60), max(0, 60 - tail))
        assert found == min(tail, 60)
    finally:
        os.close(descriptor)


def test_an_unfinished_line_is_not_read_until_it_ends(log_path: str) -> None:
    put(log_path, b"one\ntw")
    reader = LogFiles(log_path)
    reader.open()
    assert rest(reader, follow=True) == b"one\n"
    put(log_path, b"o\n")
    assert rest(reader, follow=True) == b"two\n"
    reader.close()


def test_lines_longer_than_a_block_are_read(log_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK_BYTES", 4)
    put(log_path, b"longer than four\nx\n")
    assert read_all(log_path) == b"longer than four\nx\n"


def test_a_log_that_grows_while_it_is_read_ends_where_it_was(log_path: str) -> None:
    put(log_path, lines(2))
    reader = LogFiles(log_path)
    reader.open()
    put(log_path, lines(2, 2))
    assert rest(reader) == lines(2)
    reader.close()


def test_a_follower_finds_a_log_that_is_made_later(log_path: str) -> None:
    reader = LogFiles(log_path)
    reader.open(tail=0)
    assert reader.read(follow=True) == b""
    put(log_path, lines(1))
    assert rest(reader, follow=True) == lines(1)
    reader.close()


@pytest.mark.parametrize("max_file", [1, 2, 5])
def test_a_follower_loses_and_repeats_nothing_across_rotations(log_path: str, max_file: int) -> None:
    writer = LogFile(log_path, 300, max_file)
    reader = LogFiles(log_path)
    reader.open()
    seen = b""
    for n in range(200):
        writer.write("stdout", b"line %d\n" % n, 1)
        # A reader that keeps up to within one rotation.
        if n % 3 == 2:
            seen += rest(reader, follow=True)
    seen += rest(reader, follow=True)
    writer.close(1)
    reader.close()
    assert [line.split(b'"')[3] for line in seen.splitlines()] == [b"line %d\\n" % n for n in range(200)]


def test_a_slow_follower_reads_all_files_that_are_left(log_path: str) -> None:
    writer = LogFile(log_path, 300, 4)
    reader = LogFiles(log_path)
    writer.write("stdout", b"line 0\n", 1)
    reader.open()
    for n in range(1, 10):
        writer.write("stdout", b"line %d\n" % n, 1)
    assert len(rest(reader, follow=True).splitlines()) == 10
    writer.close(1)
    reader.close()


def test_closing_leaves_no_descriptor(log_path: str) -> None:
    put(log_path + ".1", lines(3))
    put(log_path, lines(4, 3))
    before = set(os.listdir("/proc/self/fd"))
    for tail in (None, 0, 2, 5):
        read_all(log_path, tail=tail)
    assert set(os.listdir("/proc/self/fd")) == before
