import os
from pathlib import Path

import pytest

from sampan.daemon.lockfile import exclusive, pid_file
from sampan.errors import Conflict


def test_a_data_root_has_one_daemon(tmp_path: Path) -> None:
    root = str(tmp_path)
    with exclusive(root), pytest.raises(Conflict, match=rf"another sampand \(pid {os.getpid()}\)"), exclusive(root):
        raise AssertionError("two daemons")
    with exclusive(root):
        pass


def test_a_pid_file_tells_our_pid_and_goes_with_us(tmp_path: Path) -> None:
    path = tmp_path / "run" / "pid"
    with pid_file(str(path)):
        assert path.read_text() == str(os.getpid())
    assert not path.exists()


@pytest.mark.parametrize("content", ["999999999", "", "nonsense", str(os.getppid())])
def test_a_pid_file_of_nobody_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pid"
    path.write_text(content)
    with pid_file(str(path)):
        assert path.read_text() == str(os.getpid())


def test_without_a_name_there_is_no_pid_file() -> None:
    with pid_file(""):
        pass
