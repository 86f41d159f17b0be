"""Steps of a change, on the overlay driver: together or not at all."""

import asyncio
import os

import pytest

from sampan import errors
from sampan.storage.metadata import Database
from sampan.storage.snapshot.contract import Kind
from sampan.storage.snapshot.overlay import OverlaySnapshotter


async def layer(snapshots: OverlaySnapshotter, name: str, parent: str | None) -> None:
    await snapshots.prepare("k", parent)
    await snapshots.commit(name, "k")


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


def test_layers_are_committed_onto_each_other_in_one_change(snapshots: OverlaySnapshotter, database: Database) -> None:
    async def main() -> None:
        for key in ("a", "b"):
            await snapshots.prepare(key, None)
        usage = await snapshots.usage("a")
        with snapshots.change() as change:
            change.commit("one", "a", usage=usage)
            change.commit("two", "b", onto="one", usage=usage)
            await database.write(change.apply)
        assert (snapshots.stat("two").parent, snapshots.stat("one").parent) == ("one", None)
        with pytest.raises(errors.Conflict, match="cannot remove snapshot one: it is the parent of 1"):
            await snapshots.remove("one")
        with pytest.raises(errors.NotFound, match="snapshot a does not exist"):
            snapshots.stat("a")

    asyncio.run(main())


def test_only_an_active_snapshot_can_be_committed_and_only_once_onto_another(
    snapshots: OverlaySnapshotter, database: Database
) -> None:
    async def main() -> None:
        await layer(snapshots, "one", None)
        usage = snapshots.stat("one").usage
        assert usage is not None
        await snapshots.prepare("x", "one")
        await snapshots.view("v", "one")
        with snapshots.change() as change:
            for key in ("one", "v"):
                with pytest.raises(errors.Conflict, match=f"snapshot {key} is not active"):
                    change.commit("two", key, usage=usage)
            with pytest.raises(errors.Conflict, match="snapshot x already stands on one"):
                change.commit("two", "x", onto="one", usage=usage)
            with pytest.raises(errors.AlreadyExists, match="snapshot one already exists"):
                change.commit("one", "x", usage=usage)
        assert sorted(found.key for found in snapshots.snapshots()) == ["one", "v", "x"]

    asyncio.run(main())


def test_steps_are_undone_in_reverse(snapshots: OverlaySnapshotter, database: Database) -> None:
    async def main() -> None:
        await layer(snapshots, "one", None)
        await layer(snapshots, "two", "one")
        with pytest.raises(errors.Conflict, match="mine"), snapshots.change() as change:
            change.remove("two")
            change.prepare("x", "one")
            raise errors.Conflict("mine")
        assert sorted(found.key for found in snapshots.snapshots()) == ["one", "two"]
        with pytest.raises(errors.Conflict, match="it is the parent of 1"):
            await snapshots.remove("one")
        await snapshots.wait_reaped()

    asyncio.run(main())


def test_a_snapshot_under_way_is_not_there_yet(snapshots: OverlaySnapshotter, database: Database) -> None:
    async def main() -> None:
        with snapshots.change() as change:
            change.prepare("x", None)
            with pytest.raises(errors.NotFound):
                snapshots.mounts("x")
            with pytest.raises(errors.AlreadyExists):
                change.prepare("x", None)
            await database.write(change.apply)
        assert snapshots.mounts("x")

    asyncio.run(main())
