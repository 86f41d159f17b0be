"""Nodes and links in a directory that stands for a root; a FIFO needs no privilege."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.runtime.nodes import LINKS, Node, Nodes, clean, nodes
from sampan.runtime.steps import Root

FIFO = stat.S_IFIFO | 0o640


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    (tmp_path / "dev").mkdir()
    found = Root(lambda: None)
    found.fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    old = os.umask(0)  # as init has set it by then
    yield found
    os.umask(old)
    os.close(found.fd)


def fifos(*paths: str) -> Nodes:
    return Nodes([Node(path, FIFO, 0) for path in paths])


# which


def device(path: str, kind: str = "c", **fields: Any) -> dict[str, Any]:
    return {"path": path, "type": kind, **fields}


def test_the_usual_devices_are_there_and_named_ones_replace_them() -> None:
    listed = [
        device("/dev/null", major=1, minor=3, fileMode=0o600, uid=5),
        device("/dev/fuse", major=10, minor=229),
        device("/srv//pipe/", "p", gid=7),
        device("/dev/loop0", "b", major=7),
        device("/dev/unbuffered", "u", major=9, minor=1, fileMode=0),
    ]
    found = {node.path: node for node in nodes(listed)}
    assert len(found) == 10 and not found["/dev/null"].is_usual and found["/dev/zero"].is_usual
    assert (found["/dev/null"].mode, found["/dev/null"].uid) == (stat.S_IFCHR | 0o600, 5)
    assert (found["/dev/zero"].mode, found["/dev/zero"].device) == (stat.S_IFCHR | 0o666, os.makedev(1, 5))
    assert found["/dev/fuse"].device == os.makedev(10, 229)
    assert (found["/srv/pipe"].mode, found["/srv/pipe"].gid) == (stat.S_IFIFO | 0o666, 7)
    assert found["/dev/loop0"].mode == stat.S_IFBLK | 0o666
    assert found["/dev/unbuffered"].mode == stat.S_IFCHR


def test_devices_of_the_config_come_first_and_ptmx_is_never_one() -> None:
    found = nodes([device("/dev/ptmx", major=5, minor=2), device("/dev/x", major=1, minor=1)])
    assert found[0].path == "/dev/x"
    assert "/dev/ptmx" not in {node.path for node in found}


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/a//b/", "/a/b"), ("//a", "/a"), ("/../a/./b/..", "/a"), ("a", "/a"), ("/", "/")],
)
def test_paths_are_cleaned_by_their_text(path: str, expected: str) -> None:
    assert clean(path) == expected


# made


def test_nodes_are_made_with_mode_and_the_links_of_dev_beside_them(root: Root, tmp_path: Path) -> None:
    fifos("/dev/pipe", "/dev/deep/er/pipe", "/pipe").execute(root)
    assert (tmp_path / "dev/pipe").lstat().st_mode == FIFO
    assert (tmp_path / "dev/deep/er/pipe").is_fifo()
    assert (tmp_path / "pipe").is_fifo()
    assert {name: os.readlink(tmp_path / "dev" / name) for name, _ in LINKS} == dict(LINKS)


def test_links_that_are_there_are_kept_but_ptmx_is_the_containers_own(root: Root, tmp_path: Path) -> None:
    (tmp_path / "dev/stdin").symlink_to("mine")
    (tmp_path / "dev/ptmx").write_text("mine")
    fifos().execute(root)
    fifos().execute(root)
    assert os.readlink(tmp_path / "dev/stdin") == "mine"
    assert os.readlink(tmp_path / "dev/stdout") == "/proc/self/fd/1"
    assert os.readlink(tmp_path / "dev/ptmx") == "pts/ptmx"


def test_the_same_node_may_be_there_already(root: Root, tmp_path: Path) -> None:
    fifos("/dev/pipe").execute(root)
    fifos("/dev/pipe").execute(root)
    assert (tmp_path / "dev/pipe").is_fifo()


def test_something_else_in_a_nodes_place_is_an_error(root: Root, tmp_path: Path) -> None:
    (tmp_path / "dev/pipe").write_text("mine")
    with pytest.raises(FileExistsError, match="something else"):
        fifos("/dev/pipe").execute(root)
    assert (tmp_path / "dev/pipe").read_text() == "mine"


def test_what_an_image_has_in_place_of_a_usual_node_is_kept(root: Root, tmp_path: Path) -> None:
    (tmp_path / "dev/pipe").write_text("mine")
    Nodes([Node("/dev/pipe", FIFO, 0, is_usual=True)]).execute(root)
    assert (tmp_path / "dev/pipe").read_text() == "mine"


def test_a_root_without_dev_gets_one(root: Root, tmp_path: Path) -> None:
    (tmp_path / "dev").rmdir()
    fifos("/dev/pipe").execute(root)
    assert (tmp_path / "dev/pipe").is_fifo()


def test_a_dev_that_leads_to_nothing_is_an_error_and_nothing_is_made_there(root: Root, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "dev").rmdir()
    (tmp_path / "dev").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        fifos("/dev/pipe").execute(root)
    assert os.listdir(outside) == []
    assert os.listdir(tmp_path) == ["dev"]


def test_nodes_stay_in_the_root_whatever_the_image_made_of_their_folders(root: Root, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "mapped").symlink_to(f"../../../..{outside}")
    fifos("/mapped/pipe").execute(root)
    assert os.listdir(outside) == []
    assert (tmp_path / str(outside).lstrip("/") / "pipe").is_fifo()


def test_no_descriptor_is_left_open(root: Root) -> None:
    before = os.listdir("/proc/self/fd")
    fifos("/dev/pipe", "/pipe", "/dev/pipe").execute(root)
    assert os.listdir("/proc/self/fd") == before


def test_where_nothing_may_be_mounted_a_device_that_cannot_be_made_is_an_error(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "mknod", refuse)
    with pytest.raises(PermissionError):
        Nodes([Node("/dev/x", stat.S_IFCHR | 0o600, os.makedev(1, 3))], may_bind=False).execute(root)
    assert os.listdir(tmp_path / "dev") == []
