"""JSON without the standard `json` package, whose import brings `re` and `enum` along.

Every fork of the launcher carries what it imports, and a small command waits for it. The C accelerators behind `json`
(`_json`) are built into CPython and need no import of a Python file. Characters beyond ASCII stay as they are.

Errors      ValueError: the text is not one JSON value, or a value has no JSON form.
"""

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLANK = " \t\n\r"


class _Rules:
    """What the scanner asks of its decoder: plain dicts, and Python's numbers."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: "dict[str, str]" = {}  # noqa: RUF012  the scanner wants an attribute, nothing writes to it here

    @staticmethod
    def parse_constant(name: str) -> float:
        return float(name.replace("Infinity", "inf"))


_scan = _json.make_scanner(_Rules())  # type: ignore[arg-type]


def _refuse_type(value: object) -> object:
    raise ValueError(f"{type(value).__name__} has no JSON form")


def _encoder(*, sort_keys: bool) -> "Any":
    return _json.make_encoder(None, _refuse_type, _json.encode_basestring, None, ":", ",", sort_keys, False, True)


_encode = _encoder(sort_keys=False)
_encode_sorted = _encoder(sort_keys=True)


def scan(text: str, start: int) -> "tuple[Any, int]":
    """The value that begins at `start`, and where it ends."""
    try:
        return _scan(text, start)
    except (StopIteration, ValueError) as error:
        raise ValueError(f"invalid JSON: {text[start : start + 40]!r}") from error


def loads(text: "str | bytes") -> "Any":
    """The value of one JSON text."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    text = text.strip(_BLANK)
    value, end = scan(text, 0)
    if end != len(text):
        raise ValueError(f"unexpected text after a JSON value: {text[end : end + 20]!r}")
    return value


def dumps(value: object, *, sort_keys: bool = False) -> str:
    """Compact JSON."""
    return "".join((_encode_sorted if sort_keys else _encode)(value, 0))
