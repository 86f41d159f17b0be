"""The promise of atomicfile, tried at each of its failpoints: a reader sees the old content or the new, whole."""

import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from sampan.base.atomicfile import sync_directory, write_atomic
from sampan.base.failpoints import arm
from support.children import UNEXPECTED, code_of

OLD, NEW = b"old content", b"new and longer content" * 1000
POINTS = ("atomicfile.written", "atomicfile.renamed")
ENDS = {"kill": -signal.SIGKILL, "exit": 99, "error": UNEXPECTED}


def crash(path: Path, point: str, action: str, *, durable: bool) -> int:
    """Replace the file in a process that is stopped at `point`; how that process ended."""

    def write() -> None:
        arm(f"{point}={action}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        write_atomic(str(path), NEW, durable=durable)

    return code_of(write)


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("before", [OLD, None])
@pytest.mark.parametrize("action", ENDS)
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_the_old_content_or_the_new_and_the_next_write_succeeds(
    tmp_path: Path, point: str, action: str, before: bytes | None, durable: bool
) -> None:
    path = tmp_path / "state.json"
    if before is not None:
        path.write_bytes(before)
    assert crash(path, point, action, durable=durable) == ENDS[action]
    found = path.read_bytes() if path.exists() else None
    assert found == (NEW if point == "atomicfile.renamed" else before)
    leftovers = {name for name in os.listdir(tmp_path) if name != "state.json"}
    assert all(name.startswith(".state.json.") for name in leftovers)
    # Only a process that could not tidy may leave its temporary file.
    assert len(leftovers) == (point == "atomicfile.written" and action != "error")
    write_atomic(str(path), b"after")
    assert path.read_bytes() == b"after"


def test_a_full_disk_leaves_the_old_content_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(OLD)

    def write() -> None:
        # RLIMIT_FSIZE makes write(2) short and then fail, as a full disk does.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        with pytest.raises(OSError, match="File too large"):
            write_atomic(str(path), NEW)

    assert code_of(write) == 0
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_new_file_is_for_its_owner_only_unless_told_otherwise(tmp_path: Path) -> None:
    write_atomic(str(tmp_path / "secret"), b"x")
    write_atomic(str(tmp_path / "open"), b"x", mode=0o644)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o644


def test_the_place_of_a_symbolic_link_is_taken_and_its_target_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(OLD)
    (tmp_path / "link").symlink_to("target")
    write_atomic(str(tmp_path / "link"), NEW)
    assert (tmp_path / "target").read_bytes() == OLD
    assert (tmp_path / "link").read_bytes() == NEW and not (tmp_path / "link").is_symlink()


def test_a_name_without_a_directory_is_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_atomic("plain", NEW)
    sync_directory("")
    assert os.listdir(tmp_path) == ["plain"]


def test_nothing_is_left_when_the_target_cannot_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "state.json/inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_atomic(str(tmp_path / "state.json"), NEW)
    assert os.listdir(tmp_path) == ["state.json"]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    write_atomic(str(tmp_path / "one"), NEW)
    with pytest.raises(FileNotFoundError):
        write_atomic(str(tmp_path / "absent/one"), NEW)
    with pytest.raises(FileNotFoundError):
        sync_directory(str(tmp_path / "absent"))
    assert os.listdir("/proc/self/fd") == before


def test_racing_writers_leave_one_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    contents = [bytes([65 + number]) * 20_000 for number in range(4)]

    def race() -> None:
        children = []
        for content in contents:
            if (pid := os.fork()) == 0:
                for _ in range(20):
                    write_atomic(str(path), content, durable=False)
                os._exit(0)
            children.append(pid)
        assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)

    assert code_of(race) == 0
    assert path.read_bytes() in contents
    assert os.listdir(tmp_path) == ["state.json"]
