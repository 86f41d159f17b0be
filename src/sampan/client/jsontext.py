"""JSON for the client: `base.jsontext` with the client's errors, streams of values, and indenting.

Text is kept exactly where it is only shown: `indent` works on tokens and re-encodes nothing, as Go's json.Indent.

Errors      InvalidArgument: the text is not one JSON value.
"""

from __future__ import annotations

from sampan import errors
from sampan.base import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_BLANK = " \t\n\r"


def loads(text: str | bytes) -> Any:
    """The value of one JSON text."""
    try:
        return jsontext.loads(text)
    except ValueError as cause:
        raise errors.InvalidArgument(str(cause)) from cause


def dumps(value: object, *, sort_keys: bool = False) -> str:
    """Compact JSON; characters beyond ASCII stay as they are."""
    try:
        return jsontext.dumps(value, sort_keys=sort_keys)
    except ValueError as cause:
        raise errors.InvalidArgument(str(cause)) from cause


def _scan_at(text: str, start: int) -> tuple[Any, int]:
    try:
        return jsontext.scan(text, start)
    except ValueError as cause:
        raise errors.InvalidArgument(str(cause)) from cause


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
