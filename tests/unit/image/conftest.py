from collections.abc import Iterator
from pathlib import Path

import pytest

from support.image_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An image store of the test's own; what it must always be true of is checked at the end."""
    found = World(tmp_path)
    yield found
    found.check_invariants()
    found.close()
