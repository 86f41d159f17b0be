import pytest

from sampan.storage.layer import sparse


def test_a_map_in_order_that_adds_up_is_accepted() -> None:
    sparse.check([(0, 5), (10, 5), (20, 0)], size=20, stored_bytes=10)


@pytest.mark.parametrize(
    ("pieces", "size", "stored_bytes"),
    [
        ([(0, 5), (3, 5)], 20, 10),
        ([(10, 5), (0, 5)], 20, 10),
        ([(18, 5)], 20, 5),
        ([(0, -5), (0, 5)], 20, 0),
        ([(0, 5)], 20, 6),
        ([], 20, 1),
        ([], -1, 0),
        ([], 1 << 63, 0),
    ],
)
def test_a_map_that_lies_is_refused(pieces: sparse.SparseMap, size: int, stored_bytes: int) -> None:
    with pytest.raises(ValueError, match="sparse"):
        sparse.check(pieces, size=size, stored_bytes=stored_bytes)


@pytest.mark.parametrize("numbers", [[b"1"], [b"a", b"1"], [b"-1", b"1"], [b"1" * 20, b"1"]])
def test_a_map_that_is_no_pairs_of_numbers_is_refused(numbers: list[bytes]) -> None:
    with pytest.raises(ValueError, match="sparse map"):
        sparse.parse_text(numbers)


def test_unused_places_of_an_old_map_are_left_out() -> None:
    fields = b"00000000000\0" + b"00000000005\0" + bytes(72)
    assert sparse.parse_old(fields, in_header=True) == [(b"00000000000\0", b"00000000005\0")]
