"""JSON without the standard `json` package, whose import of `re` costs as much as a whole small command.

The C accelerators behind `json` (`_json`) are built into CPython and need no import of a Python file. Text is kept
exactly where it is only shown: `indent` works on tokens and re-encodes nothing, as Go's json.Indent.

Errors      InvalidArgument: the text is not one JSON value.
"""

from __future__ import annotations

import _json

from sampan import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_BLANK = " \t\n\r"


class _Rules:
    """What the scanner asks of its decoder: plain dicts, and Python's numbers."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012  the scanner wants an attribute, nothing writes to it here

    @staticmethod
    def parse_constant(name: str) -> float:
        return float(name.replace("Infinity", "inf"))


_scan = _json.make_scanner(_Rules())  # type: ignore[arg-type]


def _refuse_type(value: object) -> object:
    raise errors.InvalidArgument(f"{type(value).__name__} has no JSON form")


def _encoder(*, sort_keys: bool) -> Any:
    return _json.make_encoder(
        None,
        _refuse_type,
        _json.encode_basestring,
        None,
        ":",
        ",",
        sort_keys,
        False,
        True,
    )


def loads(text: str | bytes) -> Any:
    """The value of one JSON text."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    text = text.strip(_BLANK)
    value, end = _scan_at(text, 0)
    if end != len(text):
        raise errors.InvalidArgument(f"unexpected text after a JSON value: {text[end : end + 20]!r}")
    return value


def _scan_at(text: str, start: int) -> tuple[Any, int]:
    try:
        return _scan(text, start)
    except (StopIteration, ValueError) as cause:
        raise errors.InvalidArgument(f"invalid JSON: {text[start : start + 40]!r}") from cause


def dumps(value: object, *, sort_keys: bool = False) -> str:
    """Compact JSON; characters beyond ASCII stay as they are."""
    return "".join(_encoder(sort_keys=sort_keys)(value, 0))


def values(pieces: Iterator[bytes]) -> Iterator[Any]:
    """The values of a stream of JSON texts (one a line, as the engine sends progress and events)."""
    rest = b""
    for piece in pieces:
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if line.strip():
                yield from _values_of_line(line)
    if rest.strip():
        yield from _values_of_line(rest)


def _values_of_line(line: bytes) -> Iterator[Any]:
    text = line.decode("utf-8", "surrogateescape").strip(_BLANK)
    at = 0
    while at < len(text):
        value, at = _scan_at(text, at)
        yield value
        while at < len(text) and text[at] in _BLANK:
            at += 1


def indent(text: str, step: str) -> str:
    """`text` with one member a line, every token kept as it was written."""
    out: list[str] = []
    depth = at = 0
    end = len(text)
    while at < end:
        char = text[at]
        if char == '"':
            close = _string_end(text, at)
            out.append(text[at:close])
            at = close
            continue
        at += 1
        if char in _BLANK:
            continue
        if char in "{[":
            if (rest := text[at:].lstrip(_BLANK))[:1] in ("}", "]"):
                out.append(char + rest[0])
                at = end - len(rest) + 1
                continue
            depth += 1
            out.append(char + "\n" + step * depth)
        elif char in "}]":
            depth -= 1
            out.append("\n" + step * depth + char)
        elif char == ",":
            out.append(",\n" + step * depth)
        else:
            out.append(": " if char == ":" else char)
    return "".join(out)


def _string_end(text: str, start: int) -> int:
    """The index after the string literal that opens at `start`."""
    at = start + 1
    while True:
        quote = text.find('"', at)
        if quote < 0:
            raise errors.InvalidArgument("invalid JSON: a string without its end")
        before = quote - 1
        while text[before] == "\\":
            before -= 1
        if (quote - 1 - before) % 2 == 0:
            return quote + 1
        at = quote + 1
