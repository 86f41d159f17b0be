"""What needs no mount: the rest is seen by tests/integration/test_foreign_runtimes.py."""

import json
import os
from pathlib import Path

import pytest

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime.restrict import StageError
from sampan.runtime.shim.foreign import preparation

PROCESS = {"args": ["sh"], "env": [], "cwd": "/"}


@pytest.fixture(autouse=True)
def stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "leave_host", lambda: None)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root that /proc/<pid>/root of the tests leads to."""
    found = tmp_path / "root"
    (found / "etc").mkdir(parents=True)
    (found / "etc/passwd").write_text("app:x:1000:100::/home/app:\n")
    (found / "etc/group").write_text("extra:x:7:app\n")
    opened = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *rest, **more: opened(found if path == "/proc/5/root" else path, *rest, **more)
    )
    return found


def test_names_of_an_exec_mean_what_they_mean_in_the_container(root: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "p.json")
    preparation.write_process(path, PROCESS, init_pid=5, user="app", groups=["extra"])
    with open(path) as file:
        found = json.load(file)
    assert found["user"] == {"uid": 1000, "gid": 100, "additionalGids": [100, 7]}
    assert found["env"] == ["HOME=/home/app"] and found["args"] == ["sh"]


def test_an_unknown_name_is_refused_in_dockers_words(root: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="unable to find user x: no matching entries in passwd file"):
        preparation.write_process(str(tmp_path / "p"), PROCESS, init_pid=5, user="x", groups=[])
    assert not (tmp_path / "p").exists()


def test_a_volume_is_filled_with_what_the_image_has_there(root: Path, tmp_path: Path) -> None:
    (root / "www").mkdir()
    (root / "www/page").write_text("hello")
    volume = tmp_path / "volume"
    volume.mkdir()
    root_fd = os.open(root, os.O_PATH)
    preparation._fill_volume(root_fd, "/www", str(volume))
    assert (volume / "page").read_text() == "hello"
    (root / "www/page").write_text("newer")
    preparation._fill_volume(root_fd, "/www", str(volume))
    assert (volume / "page").read_text() == "hello", "only an empty volume is filled"
    preparation._fill_volume(root_fd, "/www/page", str(volume / "page"))
    os.close(root_fd)


def test_a_target_that_the_image_lacks_is_made(root: Path, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    root_fd = os.open(root, os.O_PATH)
    preparation._fill_volume(root_fd, "/a/b", str(tmp_path / "volume"))
    os.close(root_fd)
    assert (root / "a/b").is_dir()


@pytest.mark.parametrize(("word", "flags"), [("bind", 0), ("rbind", c.AT_RECURSIVE)])
def test_a_shared_source_is_cloned_while_it_is_the_hosts(
    word: str, flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, ...]] = []

    def open_tree(*args: object) -> int:
        seen.append(args)
        return 0

    monkeypatch.setattr(syscalls, "open_tree", open_tree)
    preparation._clone_tree({"source": "/h", "options": [word, "rshared"]})
    assert seen == [(c.AT_FDCWD, "/h", flags | c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC)]


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_shared_source_gets_a_place_of_its_kind(
    tmp_path: Path, is_folder: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    if is_folder:
        source.mkdir()
    else:
        source.write_text("x")
    moved: list[tuple[int, int]] = []
    monkeypatch.setattr(syscalls, "move_mount", lambda tree, target: moved.append((tree, target)))
    tree = os.open(source, os.O_PATH)
    assert preparation._place(tree, str(tmp_path / "shared-0")) == str(tmp_path / "shared-0")
    assert (tmp_path / "shared-0").is_dir() is is_folder and moved[0][0] == tree
