"""The snapshot contract as tests; every driver in DRIVERS has to pass. Needs root, for it mounts."""

import asyncio
import os
import stat
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sampan import errors
from sampan.linux import mount as mounting
from sampan.storage.metadata import Database
from sampan.storage.snapshot.contract import Kind
from sampan.storage.snapshot.overlay import OverlaySnapshotter

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay]

DRIVERS: dict[str, Callable[[str, Database], OverlaySnapshotter]] = {"overlay": OverlaySnapshotter}


class World:
    """A snapshotter with its database, and a place to mount at."""

    def __init__(self, driver: str, folder: Path) -> None:
        self.driver, self.folder = driver, folder
        self.target = folder / "mnt"
        self.target.mkdir()
        self.open()

    def open(self) -> None:
        self.database = Database(str(self.folder / "meta.db"))
        self.database.open()
        self.snapshots = DRIVERS[self.driver](str(self.folder / "snapshots"), self.database)
        self.snapshots.open()

    def close(self) -> None:
        self.snapshots.close()
        self.database.close()

    @contextmanager
    def mounted(self, key: str) -> Iterator[Path]:
        (mount,) = self.snapshots.mounts(key)
        parsed = mounting.parse_options(mount.options)
        (folder,) = [word.partition("=")[2] for word in parsed.ours if word.startswith("x-sampan.chdir=")]
        before = os.getcwd()
        os.chdir(folder)
        try:
            _mount(mount.source, str(self.target), mount.type, flags=parsed.flags, text=parsed.data)
        finally:
            os.chdir(before)
        try:
            yield self.target
        finally:
            _unmount(str(self.target))

    def run(self, *steps: Coroutine[Any, Any, Any]) -> Any:
        async def all_of_them() -> Any:
            result = None
            for step in steps:
                result = await step
            return result

        return asyncio.run(all_of_them())

    def layer(self, name: str, parent: str | None, files: dict[str, str]) -> None:
        """Commit a layer of `files` under `name`."""
        self.run(self.snapshots.prepare(f"{name}-key", parent))
        with self.mounted(f"{name}-key") as root:
            for path, text in files.items():
                (root / path).write_text(text)
        self.run(self.snapshots.commit(name, f"{name}-key"))


def _mount(source: str, target: str, kind: str, *, flags: int, text: str) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), text.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), text)


def _unmount(target: str) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(target.encode(), 2):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


@pytest.fixture(params=sorted(DRIVERS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    found = World(request.param, tmp_path)
    yield found
    found.close()


def test_what_is_written_to_an_active_snapshot_is_there_when_mounted_again(world: World) -> None:
    world.run(world.snapshots.prepare("a", None))
    with world.mounted("a") as root:
        (root / "file").write_text("x")
    with world.mounted("a") as root:
        assert (root / "file").read_text() == "x"


def test_a_new_snapshot_without_a_parent_is_empty(world: World) -> None:
    world.run(world.snapshots.prepare("a", None))
    with world.mounted("a") as root:
        assert os.listdir(root) == []
        assert stat.S_IMODE(root.stat().st_mode) == 0o755


def test_a_child_sees_its_parents_and_changes_only_itself(world: World) -> None:
    world.layer("one", None, {"f": "1", "g": "1"})
    world.layer("two", "one", {"g": "2"})
    world.run(world.snapshots.prepare("x", "two"), world.snapshots.prepare("y", "two"))
    with world.mounted("x") as root:
        assert [(root / name).read_text() for name in "fg"] == ["1", "2"]
        (root / "f").unlink()
        (root / "g").write_text("x")
    with world.mounted("y") as root:
        assert [(root / name).read_text() for name in "fg"] == ["1", "2"]
    with world.mounted("x") as root:
        assert os.listdir(root) == ["g"]


def test_a_deletion_is_part_of_what_is_committed(world: World) -> None:
    world.layer("one", None, {"f": "1", "g": "1"})
    world.run(world.snapshots.prepare("k", "one"))
    with world.mounted("k") as root:
        (root / "f").unlink()
    world.run(world.snapshots.commit("two", "k"), world.snapshots.view("v", "two"))
    with world.mounted("v") as root:
        assert os.listdir(root) == ["g"]


@pytest.mark.parametrize("layers", [1, 2])
def test_a_view_cannot_be_written(world: World, layers: int) -> None:
    parent = None
    for number in range(layers):
        world.layer(f"layer{number}", parent, {f"f{number}": "1"})
        parent = f"layer{number}"
    assert parent is not None
    world.run(world.snapshots.view("v", parent))
    with world.mounted("v") as root, pytest.raises(OSError, match="Read-only"):
        (root / "new").write_text("x")


def test_layers_made_side_by_side_are_stacked_when_committed(world: World) -> None:
    for name in ("low", "high"):
        world.run(world.snapshots.prepare(name, None))
        Path(world.snapshots.directory(name), "f").write_text(name)
        Path(world.snapshots.directory(name), name).write_text(name)
    world.run(world.snapshots.commit("c1", "low"), world.snapshots.commit("c2", "high", onto="c1"))
    world.run(world.snapshots.view("v", "c2"))
    with world.mounted("v") as root:
        assert sorted(os.listdir(root)) == ["f", "high", "low"]
        assert (root / "f").read_text() == "high"
    assert world.snapshots.stat("c2").parent == "c1"


def test_one_change_commits_a_whole_stack(world: World) -> None:
    for name in ("low", "high"):
        world.run(world.snapshots.prepare(name, None))
        Path(world.snapshots.directory(name), name).write_text(name)

    async def commit_both() -> None:
        usages = [await world.snapshots.usage(name) for name in ("low", "high")]
        with world.snapshots.change() as change:
            change.commit("c1", "low", usage=usages[0])
            change.commit("c2", "high", onto="c1", usage=usages[1])
            await world.database.write(change.apply)

    world.run(commit_both())
    world.run(world.snapshots.prepare("run", "c2"))
    with world.mounted("run") as root:
        assert sorted(os.listdir(root)) == ["high", "low"]


def test_the_root_directory_keeps_the_mode_and_owner_of_the_parent(world: World) -> None:
    world.run(world.snapshots.prepare("k", None))
    with world.mounted("k") as root:
        os.chmod(root, 0o1770)
        os.chown(root, 1000, 1001)
    world.run(world.snapshots.commit("one", "k"), world.snapshots.prepare("child", "one"))
    with world.mounted("child") as root:
        status = root.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o1770, 1000, 1001)


def test_a_hundred_and_twenty_seven_layers_can_be_mounted(world: World) -> None:
    parent = None
    for number in range(127):
        world.run(world.snapshots.prepare("k", parent))
        Path(world.snapshots.directory("k"), f"f{number}").write_text("x")
        world.run(world.snapshots.commit(f"layer{number}", "k"))
        parent = f"layer{number}"
    world.run(world.snapshots.prepare("top", parent))
    with world.mounted("top") as root:
        assert len(os.listdir(root)) == 127


def test_a_key_and_a_name_are_taken_once(world: World) -> None:
    world.layer("one", None, {})
    world.run(world.snapshots.prepare("k", None))
    for key in ("k", "one"):
        with pytest.raises(errors.AlreadyExists):
            world.run(world.snapshots.prepare(key, None))
    with pytest.raises(errors.AlreadyExists):
        world.run(world.snapshots.commit("one", "k"))


def test_a_parent_has_to_be_committed_and_to_exist(world: World) -> None:
    world.run(world.snapshots.prepare("k", None))
    with pytest.raises(errors.Conflict, match="not committed"):
        world.run(world.snapshots.prepare("x", "k"))
    with pytest.raises(errors.NotFound):
        world.run(world.snapshots.prepare("x", "nosuch"))


def test_a_parent_is_not_removed_before_its_children(world: World) -> None:
    world.layer("one", None, {})
    world.run(world.snapshots.prepare("k", "one"))
    with pytest.raises(errors.Conflict, match="is the parent"):
        world.run(world.snapshots.remove("one"))
    world.run(world.snapshots.remove("k"), world.snapshots.remove("one"))
    assert list(world.snapshots.snapshots()) == []


def test_committing_twice_or_a_view_is_refused(world: World) -> None:
    world.layer("one", None, {})
    with pytest.raises(errors.NotFound):
        world.run(world.snapshots.commit("two", "one-key"))
    with pytest.raises(errors.Conflict, match="not active"):
        world.run(world.snapshots.commit("two", "one"))
    world.run(world.snapshots.view("v", "one"))
    with pytest.raises(errors.Conflict, match="not active"):
        world.run(world.snapshots.commit("two", "v"))


def test_removing_what_is_not_there_is_not_found(world: World) -> None:
    for step in (world.snapshots.remove, world.snapshots.usage):
        with pytest.raises(errors.NotFound):
            world.run(step("nosuch"))
    with pytest.raises(errors.NotFound):
        world.snapshots.mounts("nosuch")


def test_a_removed_key_can_be_used_again_and_starts_empty(world: World) -> None:
    world.run(world.snapshots.prepare("k", None))
    with world.mounted("k") as root:
        (root / "f").write_text("x")
    world.run(world.snapshots.remove("k"), world.snapshots.prepare("k", None))
    with world.mounted("k") as root:
        assert os.listdir(root) == []


def test_usage_counts_files_once_and_no_directories(world: World) -> None:
    world.run(world.snapshots.prepare("k", None))
    with world.mounted("k") as root:
        (root / "f").write_text("12345")
        os.link(root / "f", root / "g")
        (root / "d").mkdir()
        os.symlink("123", root / "s")
    usage = world.run(world.snapshots.commit("one", "k"))
    assert usage.size_bytes == 8
    assert world.run(world.snapshots.usage("one")) == usage


def test_everything_is_as_before_after_closing_and_opening(world: World) -> None:
    world.layer("one", None, {"f": "1"})
    world.run(world.snapshots.prepare("k", "one"))
    before = sorted(world.snapshots.snapshots(), key=lambda found: found.key)
    world.close()
    world.open()
    assert world.run(world.snapshots.sweep()) == 0
    assert sorted(world.snapshots.snapshots(), key=lambda found: found.key) == before
    assert [(found.key, found.kind) for found in before] == [("k", Kind.ACTIVE), ("one", Kind.COMMITTED)]
    with world.mounted("k") as root:
        assert (root / "f").read_text() == "1"
