import os
from pathlib import Path

import pytest

from sampan.errors import Internal
from sampan.storage.layer.apply import apply_layer


def test_a_layer_is_never_applied_outside_a_root_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open(os.devnull) as empty, pytest.raises(Internal, match="whose root is the snapshot"):
        apply_layer(empty.fileno())
    assert not list(tmp_path.iterdir())
