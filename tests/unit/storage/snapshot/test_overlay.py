import asyncio
import os

import pytest

from sampan import errors
from sampan.storage.metadata import Database
from sampan.storage.snapshot.overlay import OverlaySnapshotter


def options(snapshots: OverlaySnapshotter, key: str) -> list[str]:
    (mount,) = snapshots.mounts(key)
    assert (mount.type, mount.source, mount.target) == ("overlay", "overlay", "")
    plain = {"index=off", "redirect_dir=off", "metacopy=off"}
    return [option for option in mount.options if option not in plain]


async def layer(snapshots: OverlaySnapshotter, name: str, parent: str | None) -> None:
    await snapshots.prepare("k", parent)
    await snapshots.commit(name, "k")


def test_mount_options_name_directories_relative_to_the_root(snapshots: OverlaySnapshotter) -> None:
    async def main() -> None:
        await layer(snapshots, "one", None)
        await layer(snapshots, "two", "one")
        await snapshots.prepare("run", "two")
        await snapshots.view("look", "two")
        await snapshots.view("look1", "one")

    asyncio.run(main())
    there = f"x-sampan.chdir={snapshots.root}"
    assert options(snapshots, "run") == ["lowerdir=2/fs:1/fs", "upperdir=3/fs", "workdir=3/work", there]
    assert options(snapshots, "look") == ["lowerdir=2/fs:1/fs", there]
    assert options(snapshots, "look1") == ["lowerdir=1/fs:0/fs", there]


def test_a_snapshot_without_a_parent_stands_on_the_empty_layer(snapshots: OverlaySnapshotter) -> None:
    asyncio.run(snapshots.prepare("k", None))
    assert options(snapshots, "k")[0] == "lowerdir=0/fs"


def test_a_sweep_removes_what_no_row_owns_and_remakes_what_a_power_cut_took(
    snapshots: OverlaySnapshotter, database: Database
) -> None:
    asyncio.run(snapshots.prepare("x", None))
    os.rmdir(snapshots.directory("x"))
    os.makedirs(os.path.join(snapshots.root, "77", "fs", "deep"))
    snapshots.close()
    again = OverlaySnapshotter(snapshots.root, database)
    again.open()
    assert asyncio.run(again.sweep()) == 1
    assert sorted(os.listdir(snapshots.root)) == ["0", "1"]
    assert sorted(os.listdir(os.path.join(snapshots.root, "1"))) == ["fs", "work"]
    asyncio.run(again.prepare("y", None))
    assert os.path.basename(os.path.dirname(again.directory("y"))) == "78"
    again.close()


def test_a_failing_disk_is_reported_and_leaves_nothing(snapshots: OverlaySnapshotter) -> None:
    open(os.path.join(snapshots.root, "1"), "w").close()
    with pytest.raises(errors.Internal, match="snapshot k"):
        asyncio.run(snapshots.prepare("k", None))
    asyncio.run(snapshots.prepare("k", None))
