from pathlib import Path

import pytest

from sampan.runtime.shim.log import Log


def test_a_silent_container_has_no_log_file(tmp_path: Path) -> None:
    log = Log({"path": str(tmp_path / "log"), "max_size": 0, "max_file": 1})
    log.flush("stdout", 1)
    log.close(1)
    assert list(tmp_path.iterdir()) == []


def test_the_first_output_opens_the_file(tmp_path: Path) -> None:
    log = Log({"path": str(tmp_path / "log")})
    log.write("stdout", b"hello\nrest", 1)
    log.close(2)
    assert (tmp_path / "log").read_bytes().count(b'"log":') == 2


def test_a_log_that_cannot_be_opened_is_given_up_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log({"path": str(tmp_path / "missing/log")})
    log.write("stdout", b"a\n", 1)
    log.write("stderr", b"b\n", 1)
    log.close(2)
    assert capsys.readouterr().err.count("no log") == 1
