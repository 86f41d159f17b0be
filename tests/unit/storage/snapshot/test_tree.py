import os
from pathlib import Path

from sampan.storage.snapshot.contract import Usage
from sampan.storage.snapshot.tree import Reaper, measure, remove_tree


def test_usage_is_the_length_of_files_and_links_each_inode_once(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"12345")
    os.link(tmp_path / "d" / "f", tmp_path / "same")
    os.symlink("123", tmp_path / "link")
    assert measure(str(tmp_path)) == Usage(8, 3)


def test_what_is_not_there_has_no_usage(tmp_path: Path) -> None:
    assert measure(str(tmp_path / "nosuch")) == Usage(0, 0)


def test_removing_a_tree_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "f").touch()
    (tmp_path / "tree").mkdir()
    os.symlink(tmp_path / "kept", tmp_path / "tree" / "link")
    remove_tree(str(tmp_path / "tree"))
    remove_tree(str(tmp_path / "tree"))
    assert os.listdir(tmp_path) == ["kept"] and os.listdir(tmp_path / "kept") == ["f"]


def test_a_reaper_has_removed_everything_when_it_is_closed(tmp_path: Path) -> None:
    reaper = Reaper()
    reaper.open()
    for name in "abc":
        (tmp_path / name / "deep").mkdir(parents=True)
        reaper.remove(str(tmp_path / name))
    reaper.wait_idle()
    assert os.listdir(tmp_path) == []
    reaper.close()
    reaper.close()
