"""Sizes and durations as people read them (go-units' wording), and truncation.

Units       Sizes in bytes, durations in seconds.
"""

from __future__ import annotations

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
HOUR_S = 3600
DAY_H = 24


def size(size_bytes: float, *, digits: int = 4) -> str:
    """1984000 as "1.984MB" (digits=3: "1.98MB")."""
    return _scaled(size_bytes, 1000.0, _DECIMAL, digits)


def binary_size(size_bytes: float) -> str:
    return _scaled(size_bytes, 1024.0, _BINARY, 4)


def _scaled(value: float, base: float, names: tuple[str, ...], digits: int) -> str:
    step = 0
    while value >= base and step < len(names) - 1:
        value /= base
        step += 1
    return f"{value:.{digits}g}{names[step]}"


def duration(seconds: float) -> str:
    """How long something took or lasts, in its largest unit."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    minutes = whole // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / HOUR_S + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 2 * DAY_H:
        return f"{hours} hours"
    for most, hours_each, name in (
        (DAY_H * 14, DAY_H, "days"),
        (DAY_H * 60, DAY_H * 7, "weeks"),
        (DAY_H * 730, DAY_H * 30, "months"),
    ):
        if hours < most:
            return f"{hours // hours_each} {name}"
    return f"{int(seconds / HOUR_S) // DAY_H // 365} years"


def ellipsis(text: str, width: int) -> str:
    """`text` in at most `width` characters, its loss shown by one."""
    if len(text) <= width:
        return text
    return text[: width - 1] + "…" if width > 1 else text[:width]


def short_id(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:12]
