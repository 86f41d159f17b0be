import pytest

from sampan.runtime import timens
from sampan.runtime.restrict import StageError


def test_each_clock_has_its_line() -> None:
    offsets = {"monotonic": {"secs": 7881, "nanosecs": 2718281}, "boottime": {"secs": -1337}}
    assert timens.offsets_text(offsets) == "monotonic 7881 2718281\nboottime -1337 0\n"
    assert timens.offsets_text({}) == ""


def test_the_wall_clock_cannot_be_moved() -> None:
    with pytest.raises(StageError, match="no such clock 'realtime'"):
        timens.offsets_text({"realtime": {"secs": 1}})
