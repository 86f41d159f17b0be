"""How Docker's JSON is read and written: Go's rules for keys, nulls and empty values, by msgspec.

Reading     1. The quick path is msgspec's strict decoder: exact names, no nulls where Go has no pointer.
            2. What it refuses is read again as Go would: keys match without regard to case, null is the zero value, a
               command may be one string, and fields of old clients (`historic`) are dropped. What is refused then is
               an error of the client: unlike Docker we do not ignore a name that nobody knows.
Writing     Go marks each field `omitempty` or not. msgspec omits a field that equals its default, but never one with a
            default factory (other than list and dict), so the factories below say "always written":
                TEXT, NUMBER, FLAG, NULL, EMPTY_LIST, EMPTY_MAP     written even when empty
                "", 0, False, None, LIST, MAP                       omitted when empty
Errors      InvalidArgument with the words of Go's encoding/json.
"""

import re
from collections.abc import Callable, Hashable
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar, cast, dataclass_transform

import msgspec
from msgspec import inspect as shapes

from sampan import errors

T = TypeVar("T")


def _empty_list() -> list[Any]:
    """Not `list` itself: msgspec omits the empty result of that factory only."""
    return []


def _empty_map() -> dict[str, Any]:
    return {}


TEXT: Any = msgspec.field(default_factory=str)
NUMBER: Any = msgspec.field(default_factory=int)
FLAG: Any = msgspec.field(default_factory=bool)
NULL: Any = msgspec.field(default_factory=lambda: None)
LIST: Any = msgspec.field(default_factory=list)
MAP: Any = msgspec.field(default_factory=dict)
EMPTY_LIST: Any = msgspec.field(default_factory=_empty_list)
EMPTY_MAP: Any = msgspec.field(default_factory=_empty_map)

Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Uint64 = Annotated[int, msgspec.Meta(ge=0)]
Uint16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
Words = Annotated[list[str], msgspec.Meta(extra={"accepts_one_word": True})]
"""A command: Go's strslice reads a string as a list of one."""
NameSet = dict[str, dict[str, Any]]
"""Go's map[string]struct{}: `{"80/tcp": {}}`."""

ZERO_TIME = "0001-01-01T00:00:00Z"


def pascal(**exceptions: str) -> Callable[[str], str]:
    """A renaming rule for a struct: snake_case to PascalCase, but for the names given."""

    def rename(name: str) -> str:
        return exceptions.get(name) or "".join(word[:1].upper() + word[1:] for word in name.split("_"))

    return rename


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class ShapeMeta(msgspec.StructMeta):
    """Tells type checkers that every `Shape` is frozen."""


class Shape(
    msgspec.Struct,
    metaclass=ShapeMeta,
    kw_only=True,
    frozen=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename=pascal(id="Id"),
):
    """Base of every structure on the wire; `msgspec.structs.replace` makes a changed copy."""

    go_type: ClassVar[str] = ""
    go_path: ClassVar[str] = ""
    historic: ClassVar[frozenset[str]] = frozenset()


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def decode(body: bytes, shape: type[T]) -> T:
    """Read a request's body; null and absent bodies are the caller's business (`read_body`)."""
    try:
        return cast("T", _decoder(cast("Hashable", shape)).decode(body))
    except msgspec.ValidationError:
        pass
    except msgspec.DecodeError as cause:
        raise errors.InvalidArgument(_syntax_message(str(cause), body)) from cause
    return convert(msgspec.json.decode(body), shape)


def convert(value: object, shape: type[T]) -> T:
    """The same for a value that is already parsed."""
    if value is None:
        return shape()
    try:
        return msgspec.convert(_as_go_reads(value, _shape_of(cast("Hashable", shape))), shape)
    except msgspec.ValidationError as cause:
        raise errors.InvalidArgument(_type_message(str(cause), shape)) from cause


@cache
def _decoder(shape: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast("type[Any]", shape))


@cache
def _shape_of(shape: Hashable) -> shapes.Type:
    return shapes.type_info(shape)


@cache
def _fields_of(shape: type[Shape]) -> dict[str, tuple[str, shapes.Type]]:
    info = _shape_of(shape)
    assert isinstance(info, shapes.StructType)
    return {field.encode_name.lower(): (field.encode_name, field.type) for field in info.fields}


def _as_go_reads(value: object, shape: shapes.Type) -> object:
    if isinstance(shape, shapes.Metadata):
        if isinstance(value, str) and shape.extra and shape.extra.get("accepts_one_word"):
            return [value]
        shape = shape.type
    if isinstance(shape, shapes.UnionType):
        if value is None and shape.includes_none:
            return None
        return _as_go_reads(value, next(member for member in shape.types if not isinstance(member, shapes.NoneType)))
    if value is None:
        return _zero(shape)
    if isinstance(shape, shapes.StructType) and isinstance(value, dict):
        return _struct_as_go_reads(value, cast("type[Shape]", shape.cls))
    if isinstance(shape, shapes.ListType) and isinstance(value, list):
        return [_as_go_reads(item, shape.item_type) for item in value]
    if isinstance(shape, shapes.DictType) and isinstance(value, dict):
        return {key: _as_go_reads(item, shape.value_type) for key, item in value.items()}
    return value


def _struct_as_go_reads(value: dict[str, object], shape: type[Shape]) -> dict[str, object]:
    fields = _fields_of(shape)
    found: dict[str, object] = {}
    for key, item in value.items():
        name, field_shape = fields.get(key.lower(), ("", None))
        if field_shape is None:
            if key.lower() not in shape.historic:
                found[key] = item
        elif item is not None:
            found[name] = _as_go_reads(item, field_shape)
    return found


def _zero(shape: shapes.Type) -> object:
    if isinstance(shape, shapes.StrType):
        return ""
    if isinstance(shape, shapes.IntType):
        return 0
    if isinstance(shape, shapes.BoolType):
        return False
    if isinstance(shape, shapes.ListType):
        return []
    if isinstance(shape, (shapes.DictType, shapes.StructType)):
        return {}
    return None


_GO_KINDS = {"int": "number", "float": "number", "str": "string", "bool": "bool", "array": "array", "object": "object"}
_GO_TYPES = {"int": "int64", "str": "string", "bool": "bool", "array": "[]string", "object": "map[string]string"}


def _type_message(message: str, shape: type) -> str:
    """msgspec's complaint in Go's words: "Expected `str`, got `int` - at `$.Image`"."""
    unknown = re.match(r"Object contains unknown field `([^`]*)`", message)
    if unknown:
        return f'invalid JSON: json: unknown field "{unknown[1]}"'
    path = re.search(r" - at `\$([^`]*)`", message)
    where = re.sub(r"\[[^\]]*\]", "", path[1]) if path else ""
    mismatch = re.match(r"Expected `([a-z]+)[^`]*`, got `([a-z]+)`", message)
    if mismatch is None:
        return f"invalid JSON: {message}"
    got = _GO_KINDS.get(mismatch[2], mismatch[2])
    if not where:
        target = f"value of type {getattr(shape, 'go_type', '') or shape.__name__}"
    else:
        prefix = getattr(shape, "go_path", "")
        target = f"struct field {prefix}{where} of type {_GO_TYPES.get(mismatch[1], mismatch[1])}"
    return f"invalid JSON: json: cannot unmarshal {got} into Go {target}"


def _syntax_message(message: str, body: bytes) -> str:
    if "truncated" in message:
        return "invalid JSON: unexpected EOF" if body.strip() else "invalid JSON: got EOF while reading request body"
    if "trailing characters" in message:
        return "unexpected content after JSON"
    at = re.search(r"invalid character \(byte (\d+)\)", message)
    if at:
        character = body[int(at[1]) :][:1].decode("latin-1")
        return f"invalid JSON: invalid character '{character}' looking for beginning of value"
    return f"invalid JSON: {message}"
