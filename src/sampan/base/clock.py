"""Wall and monotonic time, and Docker's ways of writing it.

Units   Instants are integers: nanoseconds since 1970 UTC; 0 stands for "never" and is written as Go's zero time.
Spec    Go's time.RFC3339Nano (trailing zeros of the fraction are dropped) and time.ParseDuration; moby
        api/types/time: unix seconds, dates with or without a zone, durations that mean "so long ago".
Imports stay few: the shim formats log timestamps with this module.
"""

import re
import time

ZERO_TIME = "0001-01-01T00:00:00Z"
NS_PER_S = 1_000_000_000

_UNIX = re.compile(r"(\d+)(?:\.(\d{1,9})\d*)?")
_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?)?)?(Z|[+-]\d\d:\d\d)?", re.IGNORECASE
)
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNIT_NS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 1_000_000,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
}


class Clock:
    """The machine's clocks; a test's clock overrides both methods."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_s(self) -> float:
        return time.monotonic()


system_clock = Clock()


def rfc3339nano(instant_ns: int) -> str:
    """For example 2026-01-02T03:04:05.12Z."""
    if instant_ns == 0:
        return ZERO_TIME
    seconds, fraction_ns = divmod(instant_ns, NS_PER_S)
    head = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    if not fraction_ns:
        return head + "Z"
    return f"{head}.{fraction_ns:09d}".rstrip("0") + "Z"


def parse_duration(text: str) -> int | None:
    """Nanoseconds of a Go duration such as 1h30m or -1.5s; None when `text` is not one."""
    sign = -1 if text[:1] == "-" else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    at, total_ns = 0, 0.0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None:
            return None
        total_ns += float(part[1]) * _UNIT_NS[part[2]]
        at = part.end()
    return sign * round(total_ns) if rest else None


def parse_timestamp(text: str, *, now_ns: int | None = None) -> int:
    """The instant that `since` and `until` parameters name; ValueError when they name none.

    A duration counts back from `now_ns`; a date without a zone is local time.
    """
    duration_ns = parse_duration(text)
    if duration_ns is not None and text != "0":
        return (time.time_ns() if now_ns is None else now_ns) - duration_ns
    unix = _UNIX.fullmatch(text)
    if unix:
        return int(unix[1]) * NS_PER_S + int((unix[2] or "").ljust(9, "0"))
    date = _DATE.fullmatch(text)
    if date is None:
        raise ValueError(f'failed to parse value as time or duration: "{text}"')
    return _date_ns(date)


def _date_ns(date: "re.Match[str]") -> int:
    import calendar  # rarely needed, and costs more than the rest of this module

    year, month, day, hour, minute, second = (int(date[n] or 0) for n in range(1, 7))
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59 and second <= 60):
        raise ValueError(f'failed to parse value as time or duration: "{date[0]}"')
    zone = date[8]
    if zone is None:
        seconds = int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
    else:
        seconds = calendar.timegm((year, month, day, hour, minute, second))
        if zone not in "Zz":
            offset_s = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
            seconds -= offset_s if zone[0] == "+" else -offset_s
    return seconds * NS_PER_S + int((date[7] or "").ljust(9, "0"))
