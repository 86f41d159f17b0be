"""The log file: appended, rotated, taken over by another writer, and never the reason for a failure."""

import os
from pathlib import Path

import pytest

from sampan.logs.decode import Decoder, Selection
from sampan.logs.writer import LogFile


def shown(*paths: Path) -> bytes:
    return b"".join(Decoder(Selection(tty=True)).decode(path.read_bytes()) for path in paths)


def test_lines_are_in_the_file_when_write_returns(tmp_path: Path) -> None:
    path = tmp_path / "c-json.log"
    log = LogFile(str(path))
    log.write("stdout", b"one\ntwo", 1)
    assert shown(path) == b"one\n"
    log.close(2)
    log.close(3)
    assert shown(path) == b"one\ntwo"
    assert path.stat().st_mode & 0o777 == 0o640


def test_rotation_keeps_the_newest_files_and_loses_no_line_of_them(tmp_path: Path) -> None:
    path = tmp_path / "c-json.log"
    log = LogFile(str(path), 1000, 3)
    lines = [b"line %d\n" % n for n in range(40)]
    log.write("stdout", b"".join(lines[:25]), 1)
    for line in lines[25:]:
        log.write("stdout", line, 2)
    log.close(3)
    files = [tmp_path / "c-json.log.2", tmp_path / "c-json.log.1", path]
    assert sorted(os.listdir(tmp_path)) == sorted(file.name for file in files)
    text = shown(*files)
    assert text == b"".join(lines)[-len(text) :]
    assert len(text.splitlines()) > 25
    assert all(1000 <= file.stat().st_size < 1100 for file in files[:2])


def test_with_one_file_rotation_starts_anew_and_leaves_the_old_to_its_readers(tmp_path: Path) -> None:
    path = tmp_path / "c-json.log"
    log = LogFile(str(path), 100, 1)
    log.write("stdout", b"a" * 50 + b"\n", 1)
    with path.open("rb") as old:
        log.write("stdout", b"b\n", 1)
        assert b"aaa" in old.read()
    assert shown(path) == b"b\n"
    assert os.listdir(tmp_path) == ["c-json.log"]
    log.close(1)


def test_a_second_writer_goes_on_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "c-json.log"
    first = LogFile(str(path))
    first.write("stdout", b"whole\n", 1)
    first.close(1)
    with path.open("ab") as file:
        file.write(b'{"log":"to')
    second = LogFile(str(path))
    second.write("stderr", b"after\n", 2)
    second.close(2)
    assert shown(path) == b"whole\nafter\n"


def test_a_second_writer_counts_what_is_there_towards_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "c-json.log"
    for n in range(3):
        log = LogFile(str(path), 150, 2)
        log.write("stdout", b"line %d %s\n" % (n, b"x" * 20), 1)
        log.close(1)
    assert len((tmp_path / "c-json.log.1").read_bytes().splitlines()) == 2


def test_a_full_disk_is_survived_and_counted() -> None:
    log = LogFile("/dev/full")
    log.write("stdout", b"lost\n", 1)
    assert log.lost_bytes > 0
    log.close(1)


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LogFile(str(tmp_path / "missing" / "log"))
