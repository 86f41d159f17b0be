"""The functions of Go's text/template and of docker's --format, and how values print.

Errors      InvalidArgument: wrong arguments, in the words of text/template.
"""

from __future__ import annotations

from sampan.client import jsontext
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class Fields:
    """Named columns: values, or functions of no or one argument. `kind` is the Go type that docker's messages name."""

    __slots__ = ("columns", "hidden", "kind")

    def __init__(self, columns: dict[str, Any], kind: str, *, hidden: Sequence[str] = ()) -> None:
        self.columns = columns
        self.kind = kind
        self.hidden = hidden

    def to_json(self) -> str:
        found = {
            name: value() if callable(value) else value
            for name, value in self.columns.items()
            if name not in self.hidden
        }
        return escape_html(jsontext.dumps(found, sort_keys=True))


def escape_html(text: str) -> str:
    """Go's JSON keeps these out of HTML pages."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


class NilList(list[str]):
    """A list that the engine has as null: printed as an empty one."""


class Missing:
    """The value of a key that a map has not: false, and printed as Go prints it."""

    def __bool__(self) -> bool:
        return False


MISSING = Missing()


def shown(value: Any) -> str:
    """Go's %v."""
    if isinstance(value, str):
        return value
    if value is MISSING:
        return "<no value>"
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _shown_float(value)
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_inner(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_inner(item) for item in value) + "]"
    return str(value)


def _inner(value: Any) -> str:
    return "<nil>" if value is None or value is MISSING else shown(value)


def _shown_float(value: float) -> str:
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    return repr(value)


def truth(value: Any) -> bool:
    return bool(value)


def length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, (dict, list)):
        return len(value)
    raise InvalidArgument(f"error calling len: len of {_kind(value)}")


def _kind(value: Any) -> str:
    if value is None or value is MISSING:
        return "nil pointer"
    return {bool: "type bool", int: "type int", float: "type float64"}.get(type(value), "untyped value")


def index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key, MISSING)
        elif isinstance(value, (list, str)):
            if not isinstance(key, int):
                raise InvalidArgument("error calling index: cannot index slice/array with type string")
            if not 0 <= key < len(value):
                raise InvalidArgument(f"error calling index: index out of range: {key}")
            value = value[key]
        else:
            raise InvalidArgument("error calling index: index of untyped nil")
    return value


def slice_of(value: Any, *bounds: int) -> Any:
    if not isinstance(value, (str, list)):
        raise InvalidArgument("error calling slice: can't slice item of this type")
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else len(value)
    if not 0 <= start <= end <= len(value):
        raise InvalidArgument(f"error calling slice: index out of range: {end}")
    return value[start:end]


def to_json(value: Any) -> str:
    if isinstance(value, Fields):
        return value.to_json()
    return "null" if value is MISSING or isinstance(value, NilList) else jsontext.dumps(value)


def join(values: list[Any], separator: str) -> str:
    return separator.join(shown(value) for value in values)


def split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def title(text: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))


def pad(text: str, before: int, after: int) -> str:
    return " " * before + text + " " * after if text else text


def truncate(text: str, most: int) -> str:
    return text[:most]


def print_(*values: Any) -> str:
    """fmt.Sprint: blanks only between two values that are no strings."""
    out = ""
    for at, value in enumerate(values):
        if at and not isinstance(value, str) and not isinstance(values[at - 1], str):
            out += " "
        out += shown(value)
    return out


def println(*values: Any) -> str:
    return " ".join(shown(value) for value in values) + "\n"


def printf(form: str, *values: Any) -> str:
    out = []
    rest = list(reversed(values))
    at = 0
    while at < len(form):
        if form[at] != "%":
            out.append(form[at])
            at += 1
            continue
        end = at + 1
        while end < len(form) and form[end] in "+-# 0123456789.":
            end += 1
        verb = form[end : end + 1]
        if verb == "%":
            out.append("%")
        elif not rest:
            out.append(f"%!{verb}(MISSING)")
        else:
            out.append(_formatted(form[at + 1 : end], verb, rest.pop()))
        at = end + 1
    if rest:
        out.append("%!(EXTRA " + ", ".join(shown(value) for value in reversed(rest)) + ")")
    return "".join(out)


def _formatted(flags: str, verb: str, value: Any) -> str:
    if verb in "vs":
        return f"%{flags}s" % shown(value) if flags.strip("+#") else shown(value)
    if verb == "q":
        return jsontext.dumps(shown(value))
    if verb in "dxXobeEfgGc" and isinstance(value, (int, float)) and not isinstance(value, bool):
        if verb == "b":
            return bin(int(value)).removeprefix("0b")
        return f"%{flags}{verb}" % value
    if verb in "xX" and isinstance(value, str):
        found = value.encode().hex()
        return found.upper() if verb == "X" else found
    if verb == "t" and isinstance(value, bool):
        return shown(value)
    return f"%!{verb}({shown(value)})"


def equal(first: Any, *others: Any) -> bool:
    return any(type_of(first) == type_of(other) and first == other for other in others)


def type_of(value: Any) -> str:
    return "int" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def _compare(first: Any, second: Any) -> tuple[Any, Any]:
    if type_of(first) != type_of(second):
        raise InvalidArgument("incompatible types for comparison")
    return first, second


def less(first: Any, second: Any) -> bool:
    left, right = _compare(first, second)
    return bool(left < right)


def less_or_equal(first: Any, second: Any) -> bool:
    left, right = _compare(first, second)
    return bool(left <= right)


# `and` and `or` are not here: they stop at the first argument that decides, so the evaluator has them.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "eq": equal,
    "ge": lambda first, second: not less(first, second),
    "gt": lambda first, second: not less_or_equal(first, second),
    "index": index,
    "join": join,
    "json": to_json,
    "le": less_or_equal,
    "len": length,
    "lower": str.lower,
    "lt": less,
    "ne": lambda first, second: not equal(first, second),
    "not": lambda value: not truth(value),
    "pad": pad,
    "print": print_,
    "printf": printf,
    "println": println,
    "slice": slice_of,
    "split": split,
    "title": title,
    "truncate": truncate,
    "upper": str.upper,
}


def _heading(text: str, *_: object) -> str:
    return text


# A column's heading passes through what changes its values.
HEADING_FUNCTIONS = FUNCTIONS | dict.fromkeys(
    ("json", "split", "join", "title", "lower", "upper", "pad", "truncate"), _heading
)
