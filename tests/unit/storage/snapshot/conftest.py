from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.storage.metadata import Database
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
