import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan import errors
from sampan.storage.metadata import Database
from sampan.storage.snapshot.contract import Kind
from sampan.storage.snapshot.overlay import OverlaySnapshotter


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(str(tmp_path / "meta.db"))
    found.open()
    yield found
    found.close()


@pytest.fixture
def snapshots(tmp_path: Path, database: Database) -> Iterator[OverlaySnapshotter]:
    found = OverlaySnapshotter(str(tmp_path / "snapshots"), database)
    found.open()
    yield found
    found.close()


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


def test_a_failed_transaction_leaves_no_directory_and_no_key(snapshots: OverlaySnapshotter, database: Database) -> None:
    async def main() -> None:
        await layer(snapshots, "one", None)
        with pytest.raises(errors.Conflict, match="mine"), snapshots.change() as change:
            change.prepare("x", "one")

            def write(tx) -> None:
                change.apply(tx)
                raise errors.Conflict("mine")

            await database.write(write)
        await snapshots.wait_reaped()
        await snapshots.remove("one")
        await snapshots.wait_reaped()

    asyncio.run(main())
    assert snapshots.snapshots() == []
    assert os.listdir(snapshots.root) == ["0"]


def test_a_cancelled_transaction_that_happened_all_the_same_counts(
    snapshots: OverlaySnapshotter, database: Database
) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(snapshots.prepare("x", None))
            await asyncio.sleep(0)
            database.write_blocking(lambda tx: None)  # the task's write is done, but the task does not know yet
            task.cancel()
        assert task.cancelled()

    asyncio.run(main())
    assert snapshots.stat("x").kind is Kind.ACTIVE
    assert os.path.isdir(snapshots.directory("x"))


def test_a_failed_removal_leaves_the_snapshot_usable(snapshots: OverlaySnapshotter, database: Database) -> None:
    async def main() -> None:
        await layer(snapshots, "one", None)
        await snapshots.prepare("x", "one")
        with pytest.raises(errors.Conflict, match="mine"), snapshots.change() as change:
            change.remove("x")
            raise errors.Conflict("mine")
        await snapshots.commit("two", "x")

    asyncio.run(main())
    assert snapshots.stat("two").parent == "one"


def test_a_failed_commit_leaves_the_snapshot_active(snapshots: OverlaySnapshotter, database: Database) -> None:
    async def main() -> None:
        await snapshots.prepare("x", None)
        usage = await snapshots.usage("x")
        with pytest.raises(errors.Conflict, match="mine"), snapshots.change() as change:
            change.commit("one", "x", usage=usage)
            with pytest.raises(errors.NotFound):
                snapshots.mounts("one")
            raise errors.Conflict("mine")
        assert snapshots.stat("x").kind is Kind.ACTIVE
        await snapshots.commit("one", "x")

    asyncio.run(main())


def test_one_change_removes_a_child_and_its_parent(snapshots: OverlaySnapshotter, database: Database) -> None:
    async def main() -> None:
        await layer(snapshots, "one", None)
        await layer(snapshots, "two", "one")
        with snapshots.change() as change:
            change.remove("two")
            change.remove("one")
            await database.write(change.apply)

    asyncio.run(main())
    assert snapshots.snapshots() == []


def test_nothing_is_built_on_a_snapshot_that_is_being_removed(
    snapshots: OverlaySnapshotter, database: Database
) -> None:
    async def main() -> None:
        await layer(snapshots, "one", None)
        with snapshots.change() as change:
            change.remove("one")
            with pytest.raises(errors.Conflict, match="being removed"):
                await snapshots.prepare("x", "one")
            with pytest.raises(errors.NotFound):
                await snapshots.remove("one")
            await database.write(change.apply)

    asyncio.run(main())


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
