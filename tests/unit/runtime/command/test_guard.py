import os
import sys
from pathlib import Path

import pytest

from sampan.errors import Unavailable
from sampan.runtime.command import guard


class Executed(Exception):
    """execve(2) does not return."""

    def __init__(self, path: str, args: list[str], environment: dict[str, str]) -> None:
        super().__init__(path)
        self.path = path
        self.args_given = args
        self.environment = environment


@pytest.fixture(autouse=True)
def bottom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No program is executed, no file of the host mounted."""

    def execve(path: str, args: list[str], environment: dict[str, str]) -> None:
        raise Executed(path, args, environment)

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(guard, "GUARDS", f"{tmp_path}/guards")
    monkeypatch.delenv(guard._MARK, raising=False)
    monkeypatch.setattr(sys, "argv", ["/x/sampan-runtime", "create", "c1"])


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(image, real) of each mount, for a root that may mount."""
    made: list[tuple[str, str]] = []
    monkeypatch.setattr(guard, "_mount", lambda image, real: made.append((image, real)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return made


def entered() -> Executed:
    with pytest.raises(Executed) as found:
        guard.enter()
    return found.value


def guarded_path() -> str:
    return f"{guard.GUARDS}{os.path.dirname(sys.executable)}/bin/python3"


def test_root_goes_on_in_the_mounted_interpreter(mounts: list[tuple[str, str]]) -> None:
    found = entered()
    assert found.path == guarded_path()
    assert found.args_given == [guarded_path(), "-IS", "/x/sampan-runtime", "create", "c1"]
    assert mounts == [(guarded_path(), os.path.realpath(sys.executable))]


def test_the_interpreter_finds_its_library_from_there(mounts: list[tuple[str, str]]) -> None:
    entered()
    text = Path(f"{os.path.dirname(os.path.dirname(guarded_path()))}/pyvenv.cfg").read_text()
    assert text == f"home = {os.path.dirname(os.path.realpath(sys.executable))}\n"


def test_whatever_the_umask_nobody_else_may_write_there(mounts: list[tuple[str, str]], tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        entered()
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    found = [tmp_path / "guards", *(tmp_path / "guards").rglob("*")]
    assert len(found) > 3
    assert [path for path in found if path.stat().st_mode & 0o022] == []


def test_what_is_executed_anew_goes_on(mounts: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(guard._MARK, entered().environment[guard._MARK])
    monkeypatch.setattr(guard, "_is_guarded", lambda: True)  # as it is after the execve that did not happen here
    guard.enter()
    assert guard._MARK not in os.environ


def test_who_only_says_that_he_is_guarded_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(guard._MARK, "1")
    with pytest.raises(Unavailable):
        guard.enter()


def be_guarded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make the running interpreter a guarded one of `tmp_path/bin/python3`, which is returned."""
    real = tmp_path / "bin" / "python3"
    image = Path(f"{guard.GUARDS}{real.parent}/bin/python3")
    for path in (real, image):
        path.parent.mkdir(parents=True)
    real.write_text("an interpreter")
    os.link(real, image)
    monkeypatch.setattr(sys, "executable", str(image))
    return real


def test_a_guarded_interpreter_is_not_left(
    mounts: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = be_guarded(monkeypatch, tmp_path)
    guard.enter()
    real.unlink()
    guard.enter()
    assert mounts == []


def test_an_interpreter_that_was_replaced_is_guarded_anew(
    mounts: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = be_guarded(monkeypatch, tmp_path)
    real.unlink()
    real.write_text("a newer interpreter")
    assert entered().path == sys.executable
    assert mounts == [(sys.executable, str(real))]


def test_one_mount_is_enough(mounts: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = be_guarded(monkeypatch, tmp_path)
    image = sys.executable
    monkeypatch.setattr(sys, "executable", str(real))
    entered()
    assert len(mounts) == 1  # the same file, but not read-only: no guard
    monkeypatch.setattr(os, "statvfs", lambda path: type("Found", (), {"f_flag": os.ST_RDONLY}))
    assert entered().path == image
    assert len(mounts) == 1


def refuse(image: str, real: str) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("is_root", [True, False])
def test_without_the_right_to_mount_it_goes_on_from_memory(is_root: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if is_root else 1000)
    monkeypatch.setattr(guard, "_mount", refuse)
    found = entered()
    fd = int(found.path.removeprefix("/proc/self/fd/"))
    assert os.get_inheritable(fd)
    assert found.args_given == [sys.executable, "-IS", "/x/sampan-runtime", "create", "c1"]
    assert os.path.getsize(f"/proc/self/fd/{fd}") == os.path.getsize(os.path.realpath(sys.executable))
    with pytest.raises(OSError, match=r"denied|not permitted|busy|Read-only"):
        os.close(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY))
    monkeypatch.setenv(guard._MARK, found.environment[guard._MARK])
    monkeypatch.setattr(guard, "_is_guarded", lambda: True)
    guard.enter()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
