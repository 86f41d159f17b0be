import datetime
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.cli.output import times
from sampan.errors import InvalidArgument


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@given(st.dates(min_value=datetime.date(1600, 1, 1)))
def test_days_are_counted_as_the_calendar_does(day: datetime.date) -> None:
    assert times.days_from_civil(day.year, day.month, day.day) == (day - datetime.date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("text", "moment_ns"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:01.5Z", 15 * 10**8),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T19:30:00-04:30", 0),
        ("1970-01-02", 86400 * 10**9),
        ("1970-01-01T00:01", 60 * 10**9),
        ("2026-11-21T22:59:30.123456789Z", 1795301970123456789),
    ],
)
def test_times_are_read(text: str, moment_ns: int) -> None:
    assert times.parse_rfc3339(text) == moment_ns


@pytest.mark.parametrize("text", ["foo", "2026", "2026-13", "x-y-z", "2026-01-01Tzz"])
def test_other_text_is_no_time(text: str) -> None:
    with pytest.raises(InvalidArgument):
        times.parse_rfc3339(text)


def test_times_are_written_as_go_does() -> None:
    moment_ns = 1795301970_123456789
    assert times.rfc3339(moment_ns) == "2026-11-21T22:59:30Z"
    assert times.rfc3339(moment_ns, digits=9) == "2026-11-21T22:59:30.123456789Z"
    assert times.go_string(moment_ns) == "2026-11-21 22:59:30 +0000 UTC"
    assert times.ansi(moment_ns) == "Sat Nov 21 22:59:30 2026"


def test_another_zone_shows_its_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    assert times.rfc3339(0) == "1970-01-01T05:30:00+05:30"
    assert times.go_string(0) == "1970-01-01 05:30:00 +0530 XYZ"


def test_since_takes_unix_time_times_and_durations() -> None:
    assert times.query_timestamp("1700000000.5") == "1700000000.5"
    assert times.query_timestamp("1970-01-01T00:00:01.5Z") == "1.500000000"
    ago = time.time() - float(times.query_timestamp("10m"))
    assert 599 < ago < 601
    with pytest.raises(InvalidArgument, match='failed to parse value as time or duration: "foo"'):
        times.query_timestamp("foo")
