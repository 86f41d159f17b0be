"""The kinds of flag values: how each is written, checked, and named in help.

Layout      KINDS maps a kind's name to a `Kind`; `label` is what help shows after the flag. A kind whose check needs
            more than a few lines is checked where the create body is made (`sampan.cli.create`).
Units       "bytes" gives bytes, "duration" nanoseconds, "decimal" billionths.
Errors      InvalidArgument, in the words of Go's strconv and docker's option types.
"""

from __future__ import annotations

from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
_DURATION_NS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_BYTE_UNITS = "kmgtp"


class Kind:
    """`implied`: the value of a flag given without one (booleans). `is_many`: each use adds to the value."""

    __slots__ = ("implied", "is_many", "label", "parse", "zero")

    def __init__(
        self,
        label: str,
        parse: Callable[[str], Any],
        zero: Callable[[], Any],
        *,
        is_many: bool = False,
        implied: str | None = None,
    ) -> None:
        self.label = label
        self.parse = parse
        self.zero = zero
        self.is_many = is_many
        self.implied = implied


def parse_bool(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidArgument(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def parse_int(text: str) -> int:
    return _parse_integer(text, "ParseInt", -(1 << 63), (1 << 63) - 1)


def parse_uint16(text: str) -> int:
    return _parse_integer(text, "ParseUint", 0, (1 << 16) - 1)


def _parse_integer(text: str, function: str, lowest: int, highest: int) -> int:
    try:
        if text != text.strip():
            raise ValueError(text)
        # Base 0 as Go's: 0x10, 0o7, 0b1, 1_000; and 010 is octal, which int() refuses.
        value = int(text, 8) if text[:1] == "0" and text.isdigit() else int(text, 0)
    except ValueError as cause:
        raise InvalidArgument(f'strconv.{function}: parsing "{text}": invalid syntax') from cause
    if value < 0 <= lowest:
        raise InvalidArgument(f'strconv.{function}: parsing "{text}": invalid syntax')
    if not lowest <= value <= highest:
        raise InvalidArgument(f'strconv.{function}: parsing "{text}": value out of range')
    return value


def parse_bytes(text: str) -> int:
    """ "64m", "1.5GiB", "512": units are powers of 1024 (go-units RAMInBytes)."""
    cut = max((at for at, char in enumerate(text) if char in "0123456789. "), default=-1) + 1
    if not cut:
        raise InvalidArgument(f"invalid size: '{text}'")
    number, suffix = text[:cut].removesuffix(" "), text[cut:].lower()
    try:
        if number != number.strip() or "_" in number:
            raise ValueError(number)
        value = float(number)
    except ValueError as cause:
        raise InvalidArgument(f'strconv.ParseFloat: parsing "{number}": invalid syntax') from cause
    if value < 0:
        raise InvalidArgument(f"invalid size: '{text}'")
    if suffix in ("", "b"):
        return int(value)
    unit = suffix[0]
    if unit not in _BYTE_UNITS or suffix[1:] not in ("", "b", "ib"):
        raise InvalidArgument(f"invalid suffix: '{suffix}'")
    return int(value * 1024 ** (_BYTE_UNITS.index(unit) + 1))


def parse_swap_bytes(text: str) -> int:
    return -1 if text == "-1" else parse_bytes(text)


def parse_duration(text: str) -> int:
    """A Go duration ("1h30m", "1.5s", "0") in nanoseconds."""
    rest = text.lstrip("+-") if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total = 0
    if not rest:
        raise InvalidArgument(f'time: invalid duration "{text}"')
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789."))
        number, rest = rest[:digits], rest[digits:]
        if not number or number == "." or number.count(".") > 1:
            raise InvalidArgument(f'time: invalid duration "{text}"')
        letters = 0
        while letters < len(rest) and rest[letters] not in "0123456789.":
            letters += 1
        unit, rest = rest[:letters], rest[letters:]
        if not unit:
            raise InvalidArgument(f'time: missing unit in duration "{text}"')
        if unit not in _DURATION_NS:
            raise InvalidArgument(f'time: unknown unit "{unit}" in duration "{text}"')
        whole, _, fraction = number.partition(".")
        scale = _DURATION_NS[unit]
        total += int(whole or "0") * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)
    return -total if text[0] == "-" else total


def parse_decimal(text: str) -> int:
    """A number of CPUs as billionths: "1.5", "3/2", "15e-1", as Go's big.Rat reads it; finer ones are refused."""
    try:
        numerator, denominator = _parse_rational(text)
    except ValueError as cause:
        raise InvalidArgument(f"failed to parse {text} as a rational number") from cause
    if numerator * 10**9 % denominator:
        raise InvalidArgument("value is too precise")
    return numerator * 10**9 // denominator


def _parse_rational(text: str) -> tuple[int, int]:
    if text != text.strip() or "_" in text:
        raise ValueError(text)
    over, slash, under = text.partition("/")
    if slash:
        if int(under) <= 0:
            raise ValueError(text)
        return int(over), int(under)
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction.strip("0123456789") or not whole.lstrip("+-") + fraction:
        raise ValueError(text)
    scale = int(exponent or "0") - len(fraction)
    if abs(scale) > 64:
        raise ValueError(text)
    value = int(whole + fraction)
    return (value * 10**scale, 1) if scale >= 0 else (value, 10**-scale)


def parse_filter(text: str) -> list[tuple[str, str]]:
    """One `name=value` of `--filter`."""
    if not text:
        return []
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidArgument("bad format of filter (expected name=value)")
    return [(name.strip().lower(), value.strip())]


def parse_map(text: str) -> dict[str, str]:
    name, _, value = text.partition("=")
    return {name: value}


def parse_environment(text: str) -> list[str]:
    if not text.partition("=")[0]:
        raise InvalidArgument(f"invalid environment variable: {text}")
    return [text]


def parse_label(text: str) -> list[str]:
    if not text.partition("=")[0].strip():
        raise InvalidArgument(f"invalid label '{text}': empty name")
    return [text]


def parse_attach(text: str) -> list[str]:
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise InvalidArgument("valid streams are STDIN, STDOUT and STDERR")
    return [text.lower()]


def _one(text: str) -> list[str]:
    return [text]


def _comma_separated(text: str) -> list[str]:
    return text.split(",")


def _text(text: str) -> str:
    return text


def _false() -> bool:
    return False


def _true() -> bool:
    return True


def _minus_one() -> int:
    return -1


KINDS: dict[str, Kind] = {
    "bool": Kind("", parse_bool, _false, implied="true"),
    "bool-on": Kind("", parse_bool, _true, implied="true"),
    "string": Kind("string", _text, str),
    "int": Kind("int", parse_int, int),
    "int-unset": Kind("int", parse_int, _minus_one),
    "uint16": Kind("uint16", parse_uint16, int),
    "bytes": Kind("bytes", parse_bytes, int),
    "swap-bytes": Kind("bytes", parse_swap_bytes, int),
    "duration": Kind("duration", parse_duration, int),
    "decimal": Kind("decimal", parse_decimal, int),
    "filter": Kind("filter", parse_filter, list, is_many=True),
    "list": Kind("list", _one, list, is_many=True),
    "strings": Kind("strings", _comma_separated, list, is_many=True),
    "map": Kind("map", parse_map, dict, is_many=True),
    "env": Kind("list", parse_environment, list, is_many=True),
    "label": Kind("list", parse_label, list, is_many=True),
    "attach": Kind("list", parse_attach, list, is_many=True),
}
