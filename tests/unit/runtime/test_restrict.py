import os
import resource
import socket
from pathlib import Path

import pytest

from sampan.runtime import restrict
from sampan.runtime.filter import Filter
from sampan.runtime.restrict import StageError
from support.children import code_of, fork


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "plain").write_text("")
    (tmp_path / "directory").mkdir()
    return tmp_path


def test_a_name_is_searched_in_the_processs_own_path(folder: Path) -> None:
    assert restrict.find_program(["program"], [f"PATH=/nowhere:{folder}"]) == f"{folder}/program"


def test_a_path_is_taken_as_it_is(folder: Path) -> None:
    assert restrict.find_program([f"{folder}/program"], []) == f"{folder}/program"


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH', 127),
        ("plain", 'exec: "plain": permission denied', 126),
    ],
)
def test_a_name_that_cannot_run_is_told_in_dockers_words(folder: Path, name: str, message: str, code: int) -> None:
    with pytest.raises(StageError) as caught:
        restrict.find_program([name], [f"PATH={folder}"])
    assert (str(caught.value), caught.value.exit_code) == (message, code)


def test_paths_that_cannot_run_are_told_apart(folder: Path) -> None:
    for name, code, words in (
        ("absent", 127, "no such file or directory"),
        ("plain", 126, "permission denied"),
        ("directory", 126, "is a directory"),
        ("plain/x", 126, "not a directory"),
    ):
        with pytest.raises(StageError, match=words) as caught:
            restrict.find_program([f"{folder}/{name}"], [])
        assert caught.value.exit_code == code


def test_no_command_is_an_error() -> None:
    with pytest.raises(StageError, match="no command"):
        restrict.find_program([], [])


def test_limits_are_set_by_name() -> None:
    def limited() -> None:
        restrict.set_rlimits([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}])
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (100, 200)

    assert code_of(limited) == 0


def test_an_unknown_limit_is_an_error() -> None:
    with pytest.raises(StageError, match="RLIMIT_NONSENSE"):
        restrict.set_rlimits([{"type": "RLIMIT_NONSENSE", "soft": 1, "hard": 1}])


def test_the_working_directory_cannot_lie_outside_the_root(folder: Path) -> None:
    root = os.open(folder / "directory", os.O_PATH)
    for unsafe in (f"{folder}", "../plain", "/proc/self/fd/0"):
        with pytest.raises(StageError, match="chdir to cwd"):
            restrict.enter_directory(root, unsafe)
    os.close(root)


def test_execution_replaces_the_process_with_nothing_but_three_descriptors() -> None:
    read_fd, write_fd = os.pipe()

    def execute() -> None:
        os.dup2(write_fd, 1)
        os.set_inheritable(read_fd, True)
        restrict.keep_fds([])
        restrict.execute("/bin/ls", ["ls", "/proc/self/fd"], ["A=b"], socket.socket())

    pid = fork(execute)
    os.close(write_fd)
    found = os.read(read_fd, 1000).split()
    os.close(read_fd)
    os.waitpid(pid, 0)
    assert found == [b"0", b"1", b"2", b"3"]  # 3 is ls's own


def test_what_the_kernel_refuses_to_execute_is_an_error(folder: Path) -> None:
    (folder / "broken").write_bytes(b"\x7fELFnonsense")
    (folder / "broken").chmod(0o755)

    def execute() -> None:
        try:
            restrict.execute(f"{folder}/broken", ["broken"], [], socket.socket())
        except StageError as error:
            os._exit(error.exit_code)

    assert code_of(execute) == 126


def test_as_many_descriptors_as_asked_for_go_with_the_program() -> None:
    read_fd, write_fd = os.pipe()

    def execute() -> None:
        os.dup2(write_fd, 1)
        for number in (3, 4, 5):
            os.dup2(write_fd, number, inheritable=False)
        restrict.keep_fds([3, 4])
        restrict.execute("/bin/ls", ["ls", "/proc/self/fd"], [], socket.socket())

    pid = fork(execute)
    os.close(write_fd)
    found = os.read(read_fd, 1000).split()
    os.close(read_fd)
    os.waitpid(pid, 0)
    assert found == [b"0", b"1", b"2", b"3", b"4", b"5"]  # 5 is ls's own


def test_only_a_filter_that_no_new_privs_allows_waits_for_the_end() -> None:
    plain, asking = Filter(b""), Filter(b"", 0, {"path": "/x", "metadata": ""})
    assert restrict.late_filter({"noNewPrivileges": True}, plain) is plain
    assert restrict.late_filter({"noNewPrivileges": False}, plain) is None
    # Somebody has to be given the listener, who may be gone at the end.
    assert restrict.late_filter({"noNewPrivileges": True}, asking) is None
    assert restrict.late_filter({"noNewPrivileges": True}, None) is None
