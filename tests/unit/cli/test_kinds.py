import pytest

from sampan.cli import kinds
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("512", 512),
        ("1k", 1024),
        ("64m", 64 << 20),
        ("1.5GiB", 3 << 29),
        ("2 kb", 2048),
        ("1B", 1),
        (".5k", 512),
    ],
)
def test_sizes_are_read(text: str, size_bytes: int) -> None:
    assert kinds.parse_bytes(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "invalid size: 'x'"),
        ("", "invalid size: ''"),
        ("1x", "invalid suffix: 'x'"),
        ("1kk", "invalid suffix: 'kk'"),
        ("-5", "invalid size: '-5'"),
    ],
)
def test_what_is_no_size_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        kinds.parse_bytes(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("0", 0), ("1h30m", 5400 * 10**9), ("1.5s", 15 * 10**8), ("-2ms", -2 * 10**6), ("3µs", 3000), (".5s", 5 * 10**8)],
)
def test_durations_are_read(text: str, nanoseconds: int) -> None:
    assert kinds.parse_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "5", "5x", "s", "1..5s", "1h 2m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"in duration|invalid duration"):
        kinds.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "nano"),
    [("1.5", 15 * 10**8), ("1", 10**9), ("0.000000001", 1), ("3/2", 15 * 10**8), ("1e-1", 10**8), (".5", 5 * 10**8)],
)
def test_cpus_are_read_as_rational_numbers(text: str, nano: int) -> None:
    assert kinds.parse_decimal(text) == nano


@pytest.mark.parametrize("text", ["x", "", "1/0", "1.2.3", "1_0", "0.0000000001"])
def test_what_is_no_number_of_cpus_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"rational number|too precise"):
        kinds.parse_decimal(text)


def test_integers_follow_gos_bases_and_limits() -> None:
    assert [kinds.parse_int(text) for text in ("10", "-1", "0x10", "010", "0b11")] == [10, -1, 16, 8, 3]
    with pytest.raises(InvalidArgument, match="value out of range"):
        kinds.parse_int("9" * 30)
    with pytest.raises(InvalidArgument, match=r"ParseUint.*invalid syntax"):
        kinds.parse_uint16("-1")


def test_a_filter_is_a_name_and_a_value() -> None:
    assert kinds.parse_filter(" Label = a=b ") == [("label", "a=b")]
    with pytest.raises(InvalidArgument, match="bad format of filter"):
        kinds.parse_filter("name")


def test_every_kind_refuses_or_reads_without_crashing() -> None:
    for name, kind in kinds.KINDS.items():
        for text in ("", "x", "a=b", "1", "-", "é", "0x"):
            try:
                kind.parse(text)
            except InvalidArgument:
                continue
            except Exception as cause:
                raise AssertionError(f"{name} {text!r}") from cause
