import pytest

from sampan.base.clock import ZERO_TIME, parse_duration, parse_timestamp, rfc3339nano

NS = 1_000_000_000


@pytest.mark.parametrize(
    ("instant_ns", "text"),
    [
        (0, ZERO_TIME),
        (1_767_323_045 * NS, "2026-01-02T03:04:05Z"),
        (1_767_323_045 * NS + 123_456_789, "2026-01-02T03:04:05.123456789Z"),
        (1_767_323_045 * NS + 120_000_000, "2026-01-02T03:04:05.12Z"),
        (1_767_323_045 * NS + 5, "2026-01-02T03:04:05.000000005Z"),
    ],
)
def test_instants_are_written_as_go_writes_them(instant_ns: int, text: str) -> None:
    assert rfc3339nano(instant_ns) == text


@pytest.mark.parametrize(
    ("text", "duration_ns"),
    [
        ("1h30m", 5400 * NS),
        ("1.5s", 1_500_000_000),
        ("-2ms", -2_000_000),
        ("0", 0),
        ("3", None),
        ("", None),
        ("1x", None),
    ],
)
def test_go_durations_are_understood(text: str, duration_ns: int | None) -> None:
    assert parse_duration(text) == duration_ns


@pytest.mark.parametrize(
    ("text", "instant_ns"),
    [
        ("0", 0),
        ("1767323045", 1_767_323_045 * NS),
        ("1767323045.000000005", 1_767_323_045 * NS + 5),
        ("1767323045.5", 1_767_323_045 * NS + 500_000_000),
        ("2026-01-02T03:04:05Z", 1_767_323_045 * NS),
        ("2026-01-02T03:04:05.12+01:00", 1_767_319_445 * NS + 120_000_000),
        ("2026-01-02T03:04:05-01:00", 1_767_326_645 * NS),
        ("10m", 1000 * NS - 600 * NS),
    ],
)
def test_since_and_until_accept_unix_times_dates_and_durations(text: str, instant_ns: int) -> None:
    assert parse_timestamp(text, now_ns=1000 * NS) == instant_ns


def test_a_date_round_trips_through_its_text() -> None:
    assert parse_timestamp(rfc3339nano(1_767_323_045_987_654_321)) == 1_767_323_045_987_654_321


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "1.2.3", "2026-01-02T25:00:00Z"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="failed to parse"):
        parse_timestamp(text)
