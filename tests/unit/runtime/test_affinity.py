import os

import pytest

from sampan.runtime import affinity
from sampan.runtime.restrict import StageError


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("0", {0}),
        ("0-3,5", {0, 1, 2, 3, 5}),
        (" 1 , 7-8,, ", {1, 7, 8}),
        ("63,64", {63, 64}),
        ("65536", {65536}),
        ("3-3,3", {3}),
    ],
)
def test_lists_become_masks(text: str, members: "set[int]") -> None:
    mask = affinity.parse_list(text)
    assert len(mask) % 8 == 0
    assert {n for n in range(len(mask) * 8) if mask[n // 8] >> n % 8 & 1} == members


def test_nothing_is_an_empty_mask() -> None:
    assert affinity.parse_list("") == b""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bad", 'parsing "bad": invalid syntax'),
        ("-1", 'parsing "": invalid syntax'),
        ("0-", 'parsing "": invalid syntax'),
        ("3-1", "invalid range: 3-1"),
        ("0-9876543210", "values larger than 65536"),
        ("65537", "values larger than 65536"),
        ("²", "invalid syntax"),
        (",", "no members found in set"),
    ],
)
def test_what_is_no_list_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        affinity.parse_list(text)


def test_the_error_says_which_of_the_two_is_bad() -> None:
    with pytest.raises(StageError, match=r"bad CPUAffinity\.Initial: "):
        affinity.check({"initial": "x", "final": "0"})
    with pytest.raises(StageError, match=r"bad CPUAffinity\.Final: "):
        affinity.check({"initial": "0", "final": "x"})


def test_cpus_that_there_are_not_are_an_error() -> None:
    with pytest.raises(StageError, match="error setting final CPU affinity: sched_setaffinity: invalid argument"):
        affinity.set_final({"final": "60000"})


def test_nothing_asked_for_changes_nothing() -> None:
    before = os.sched_getaffinity(0)
    affinity.set_initial({})
    affinity.set_final({"initial": "0"})
    assert os.sched_getaffinity(0) == before
