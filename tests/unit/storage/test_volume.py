import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan import errors
from sampan.storage.metadata import Database
from sampan.storage.volume import VolumeStore


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(str(tmp_path / "meta.db"))
    found.open()
    yield found
    found.close()


def opened(tmp_path: Path, database: Database, **more) -> VolumeStore:
    store = VolumeStore(str(tmp_path / "volumes"), database, **more)
    store.open()
    return store


def test_a_volume_is_a_directory_that_is_there_again_later(tmp_path: Path, database: Database) -> None:
    store = opened(tmp_path, database)
    volume = asyncio.run(store.ensure("data", labels={"a": "b"}))
    assert volume.path == str(tmp_path / "volumes" / "data" / "_data") and os.path.isdir(volume.path)
    assert asyncio.run(store.ensure("data")) == volume
    assert opened(tmp_path, database).list() == [volume]


def test_a_volume_without_a_name_is_anonymous(tmp_path: Path, database: Database) -> None:
    volume = asyncio.run(opened(tmp_path, database).ensure())
    assert len(volume.name) == 64 and volume.is_anonymous
    assert volume.labels == {"com.docker.volume.anonymous": ""}


def test_a_removed_volume_is_gone_with_its_files(tmp_path: Path, database: Database) -> None:
    store = opened(tmp_path, database)
    Path(asyncio.run(store.ensure("data")).path, "f").touch()
    asyncio.run(store.remove("data"))
    assert os.listdir(store.root) == [] and store.list() == []
    with pytest.raises(errors.NotFound, match="get data: no such volume"):
        asyncio.run(store.remove("data"))


def test_a_volume_in_use_stays(tmp_path: Path, database: Database) -> None:
    store = opened(tmp_path, database, users_of=lambda name: ["c1", "c2"])
    asyncio.run(store.ensure("data"))
    with pytest.raises(errors.Conflict, match=r"remove data: volume is in use - \[c1, c2\]"):
        asyncio.run(store.remove("data"))


@pytest.mark.parametrize("name", ["..", "a/b", "-a", "a b", "a"])
def test_a_bad_name_is_refused(tmp_path: Path, database: Database, name: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=f"create {name}"):
        asyncio.run(opened(tmp_path, database).ensure(name))


def test_other_drivers_and_options_are_refused(tmp_path: Path, database: Database) -> None:
    store = opened(tmp_path, database)
    with pytest.raises(errors.NotFound, match='plugin "nfs" not found'):
        asyncio.run(store.ensure("data", driver="nfs"))
    with pytest.raises(errors.Unimplemented):
        asyncio.run(store.ensure("data", options={"type": "tmpfs"}))
    assert store.list() == []


def test_two_who_ask_at_once_get_the_same_volume(tmp_path: Path, database: Database) -> None:
    store = opened(tmp_path, database)

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(store.ensure("data")) for _ in range(2)]
        assert tasks[0].result() == tasks[1].result()

    asyncio.run(both())
