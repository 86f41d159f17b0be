"""Query parameters by Go's and Docker's rules: flags, numbers, times and filters.

Errors  InvalidArgument with the words of Go's strconv, where Docker lets them through.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from sampan import errors
from sampan.base.clock import parse_timestamp

_FALSE = frozenset({"", "0", "no", "false", "none"})
_UINT32_MAX = (1 << 32) - 1

Filters = Mapping[str, list[str]]
"""Each filter's values, in the client's order."""


class Query:
    """The parameters of one request; the first of equal names counts."""

    __slots__ = ("_all",)

    def __init__(self, text: str) -> None:
        self._all: dict[str, list[str]] = {}
        if text:
            for name, value in parse_qsl(text, keep_blank_values=True):
                self._all.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def text(self, name: str, default: str = "") -> str:
        values = self._all.get(name)
        return values[0] if values else default

    def texts(self, name: str) -> list[str]:
        return self._all.get(name, [])

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Anything but "", 0, no, false and none is true."""
        values = self._all.get(name)
        return default if values is None else values[0].strip().lower() not in _FALSE

    def number(self, name: str) -> int | None:
        """Go's strconv.Atoi; None when absent or empty."""
        text = self.text(name)
        if not text:
            return None
        digits = text[1:] if text[0] in "+-" else text
        if not (digits.isascii() and digits.isdigit()):
            raise errors.InvalidArgument(f'strconv.Atoi: parsing "{text}": invalid syntax')
        if abs(int(text)) >= 1 << 63:
            raise errors.InvalidArgument(f'strconv.Atoi: parsing "{text}": value out of range')
        return int(text)

    def dimension(self, name: str, meaning: str) -> int:
        """An unsigned 32-bit number that must be there; `meaning` names it in the message."""
        text = self.text(name)
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise errors.InvalidArgument(f'invalid {meaning} "{text}": invalid syntax')
        if not 0 <= int(text) <= _UINT32_MAX or digits != text:
            raise errors.InvalidArgument(f'invalid {meaning} "{text}": value out of range')
        return int(text)

    def instant_ns(self, name: str) -> int | None:
        """A time as in `since` and `until`; None when absent or empty."""
        text = self.text(name)
        if not text:
            return None
        try:
            return parse_timestamp(text)
        except ValueError as cause:
            raise errors.InvalidArgument(str(cause)) from cause

    def filters(self, allowed: frozenset[str] | None) -> Filters:
        """`filters`: a JSON map of maps, `{"label": {"a=b": true}}`, or, of old clients, of lists.

        Names outside `allowed` are refused; None allows any.
        """
        text = self.text("filters")
        if not text:
            return {}
        try:
            found = msgspec.json.decode(text, type=dict[str, dict[str, bool] | list[str] | None] | None)
        except msgspec.DecodeError as cause:
            raise errors.InvalidArgument("invalid filter") from cause
        filters = {name: list(values) for name, values in (found or {}).items() if values is not None}
        for name in filters:
            if allowed is not None and name not in allowed:
                raise errors.InvalidArgument(f"invalid filter '{name}'")
        return filters


def flag_filter(filters: Filters, name: str) -> bool | None:
    """A filter that is true or false, such as `dangling`; None when it is not set."""
    values = filters.get(name)
    if not values:
        return None
    if len(values) == 1 and values[0].lower() in ("1", "true", "t"):
        return True
    if len(values) == 1 and values[0].lower() in ("0", "false", "f"):
        return False
    raise errors.InvalidArgument(f"invalid filter '{name}=[{' '.join(values)}]'")
