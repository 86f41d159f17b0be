import pytest

from sampan.cli.output import units

HOUR = 3600
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (1984172, "1.98MB"), (123456789, "123MB"), (10**12, "1TB")],
)
def test_sizes_have_three_digits_and_decimal_units(size_bytes: int, text: str) -> None:
    assert units.size(size_bytes, digits=3) == text


def test_memory_is_shown_in_binary_units() -> None:
    assert units.binary_size(25275265024) == "23.54GiB"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (120, "2 minutes"),
        (59 * 60, "59 minutes"),
        (HOUR, "About an hour"),
        (1.6 * HOUR, "2 hours"),
        (47 * HOUR, "47 hours"),
        (2 * DAY, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (730 * DAY, "2 years"),
    ],
)
def test_durations_are_told_in_their_largest_unit(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


def test_long_text_loses_its_end_visibly() -> None:
    assert units.ellipsis("sleep 3000", 20) == "sleep 3000"
    assert units.ellipsis("abcdefgh", 5) == "abcd…"


def test_a_short_id_has_twelve_digits() -> None:
    assert units.short_id("sha256:" + "ab" * 32) == "abababababab"
