import os
import re

import pytest

from sampan.base import ids


def test_an_id_is_64_lower_case_hexadecimal_digits() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", ids.new_id())


def test_ids_differ() -> None:
    assert len({ids.new_id()[: ids.SHORT] for _ in range(1000)}) == 1000


def test_a_short_id_that_looks_like_a_number_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [b"\x12" * 32, b"\x99" * 6 + b"\xff" * 26, b"\x1a" * 32]
    monkeypatch.setattr(os, "urandom", lambda count: drawn.pop(0))
    assert ids.new_id() == "1a" * 32
    assert drawn == []
