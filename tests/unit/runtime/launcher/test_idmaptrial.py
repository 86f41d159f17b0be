"""What a trial says when it fails, and that it leaves nothing; that it succeeds needs root (tests/e2e)."""

import os
from pathlib import Path
from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.launcher import idmaptrial
from support import children

MAPPING: list[dict[str, Any]] = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def test_a_refusal_is_told_with_its_place_and_nothing_stays(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o711)

    def life() -> None:
        if os.geteuid() == 0:
            os.setresuid(1, 1, 1)
        with pytest.raises(InvalidArgument) as caught:
            idmaptrial.run(str(tmp_path), MAPPING, MAPPING)
        assert str(caught.value) == f"userns-remap: layers in {tmp_path} cannot be idmapped: operation not permitted"

    assert children.code_of(life) == 0
    assert list(tmp_path.iterdir()) == []


def test_several_ranges_are_one_word() -> None:
    more = [*MAPPING, {"containerID": 65536, "hostID": 7, "size": 1}]
    assert idmaptrial._text(more) == "0-100000-65536#65536-7-1"
