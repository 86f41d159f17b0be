import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.storage.layer import pax

KEYS = st.binary(min_size=1, max_size=40).filter(lambda key: b"=" not in key and b"\0" not in key and key != b"path")


@given(st.lists(st.tuples(KEYS, st.binary(max_size=1200))))
def test_records_come_back_as_they_were_written(records: list[tuple[bytes, bytes]]) -> None:
    payload = b"".join(pax.format_record(key, value) for key, value in records)
    assert pax.parse_records(payload) == records


@pytest.mark.parametrize("length", range(90, 103))
def test_a_length_counts_its_own_digits(length: int) -> None:
    record = pax.format_record(b"k", b"v" * length)
    assert int(record.split(b" ")[0]) == len(record)


@pytest.mark.parametrize(
    "payload",
    [
        b"x",
        b"8 path=a\n",
        b"11 path=a\n",
        b"10 path=ab",
        b"5 a=b",
        b"0 a=b\n",
        b"-1 a=b\n",
        b"3 =\n",
        b"5 =b\n ",
        b"6 abc\n",
        b"99999999999999999999999999 a=b\n",
        b"10 path=\0\n\n",
        b"10 a\0h=bc\n",
    ],
)
def test_a_malformed_record_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="PAX header"):
        pax.parse_records(payload)


@given(st.integers(-(10**20), 10**20))
def test_times_come_back_as_they_were_written(time_ns: int) -> None:
    assert pax.parse_time(pax.format_time(time_ns)) == time_ns


def test_times_have_any_number_of_digits() -> None:
    assert pax.parse_time(b"1.5") == 1_500_000_000
    assert pax.parse_time(b"1.0000000019") == 1_000_000_001
    assert pax.parse_time(b"-0.25") == -250_000_000


@pytest.mark.parametrize("text", [b"", b".", b"1e3", b"+1", b"1.x", b"--1", b"9" * 30])
def test_what_is_no_time_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="time"):
        pax.parse_time(text)


@pytest.mark.parametrize("text", [b"", b"-1", b"1_0", b"0x1", b"9" * 20])
def test_what_is_no_number_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="number"):
        pax.parse_integer(text)
