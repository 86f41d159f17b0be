import os
import stat
from pathlib import Path

import pytest

from sampan.runtime.boundnodes import _outside, bind, of_host
from sampan.runtime.nodes import Node

NULL = Node("/dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))


def test_owners_are_what_the_mappings_say_and_nobody_where_they_are_silent() -> None:
    mappings = [(0, 100000, 10), (10, 5, 1)]
    assert [_outside(number, mappings) for number in (0, 9, 10, 11)] == [100000, 100009, 5, 65534]


@pytest.mark.parametrize(
    "node",
    [
        Node("/dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 5)),
        Node("/dev/null", stat.S_IFBLK | 0o666, os.makedev(1, 3)),
        Node("/dev", stat.S_IFCHR | 0o666, os.makedev(1, 3)),
    ],
)
def test_the_hosts_node_has_to_be_the_device_that_was_asked_for(node: Node) -> None:
    with pytest.raises(OSError, match="another device"):
        of_host(node)


def test_a_file_with_content_in_a_nodes_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "null").write_text("mine")
    folder = os.open(tmp_path, os.O_PATH)
    tree = os.open("/dev/null", os.O_PATH)
    with pytest.raises(FileExistsError):
        bind(tree, folder, "null", NULL)
    os.close(tree)
    os.close(folder)
    assert (tmp_path / "null").read_text() == "mine"


def test_what_an_image_has_in_place_of_a_usual_node_is_kept(tmp_path: Path) -> None:
    (tmp_path / "null").mkdir()
    folder = os.open(tmp_path, os.O_PATH)
    tree = os.open("/dev/null", os.O_PATH)
    bind(tree, folder, "null", Node("/dev/null", NULL.mode, NULL.device, is_usual=True))
    os.close(folder)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(tree)
