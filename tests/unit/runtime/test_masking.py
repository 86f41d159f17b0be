import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.runtime.masking import Mask, ReadOnly, ReadOnlyAgain
from sampan.runtime.steps import Root


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    found = Root(lambda: None)
    found.fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield found
    os.close(found.fd)


def test_each_says_what_it_does() -> None:
    assert Mask(["/proc/kcore", "/proc/keys"]).describe() == "mask 2 paths"
    assert ReadOnly(["/proc/sys"]).describe() == "make 1 paths read-only"
    assert ReadOnlyAgain("/").describe() == "remount / read-only"


def test_a_path_that_is_listed_twice_is_done_once() -> None:
    assert Mask(["/a", "/b", "/a"]).paths == ["/a", "/b"]
    assert ReadOnly(["/a", "/a"]).paths == ["/a"]


@pytest.mark.parametrize("kind", [Mask, ReadOnly])
def test_paths_that_are_not_there_are_no_error(root: Root, tmp_path: Path, kind: type[Mask] | type[ReadOnly]) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("/nowhere")
    step = kind(["/proc/kcore", "/file/below", "/dangling", "/dangling/below"])
    if isinstance(step, Mask):
        step.null_fd = os.open("/dev/null", os.O_PATH)
    step.execute(root)
    assert sorted(os.listdir(tmp_path)) == ["dangling", "file"]
