"""GVariant's text form, as the annotations org.systemd.property.* hold it, to D-Bus values.

Forms       true  -5  1.5  'text'  "text"  uint64 30  objectpath '/a'  ['a', 'b']  [(1, 'x')]  @as []  <'boxed'>
Values      A variant is (signature, value), as jeepney takes it. A bare integer is an int32, or what its array says.
Errors      ValueError with what could not be read.
Spec        GLib, "GVariant Text Format"; D-Bus specification, "Type System".
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KEYWORDS = {
    "boolean": "b",
    "byte": "y",
    "int16": "n",
    "uint16": "q",
    "int32": "i",
    "uint32": "u",
    "handle": "h",
    "int64": "x",
    "uint64": "t",
    "double": "d",
    "string": "s",
    "objectpath": "o",
    "signature": "g",
}
_INTEGERS = "ynqiuhxt"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_BRACKETS = {"[": "]", "(": ")"}


def parse(text: str) -> "tuple[str, Any]":
    """(signature, value) of a whole text."""
    reader = _Reader(text)
    found = reader.value("")
    if reader.peek():
        raise reader.error("nothing after the value")
    return found


class _Reader:
    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, expected: str) -> ValueError:
        return ValueError(f"cannot read {self.text!r} at {self.at}: expected {expected}")

    def peek(self) -> str:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def take(self, character: str) -> None:
        if self.peek() != character:
            raise self.error(repr(character))
        self.at += 1

    def word(self) -> str:
        self.peek()
        start = self.at
        while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] in "+-._"):
            self.at += 1
        if start == self.at:
            raise self.error("a value")
        return self.text[start : self.at]

    def value(self, wanted: str) -> "tuple[str, Any]":
        """One value; `wanted` is its signature when something before it said so."""
        first = self.peek()
        if first == "@":
            self.at += 1
            return self.value(self.signature())
        if first in ("'", '"') and wanted in ("", "s", "o", "g"):
            return wanted or "s", self.string(first)
        if first in _BRACKETS:
            return self.several(first, wanted)
        if first == "<":
            self.at += 1
            boxed = self.value("")
            self.take(">")
            return "v", boxed
        word = self.word()
        if word in _KEYWORDS:
            return self.value(_KEYWORDS[word])
        return self.scalar(word, wanted)

    def scalar(self, word: str, wanted: str) -> "tuple[str, Any]":
        if word in ("true", "false") and wanted in ("", "b"):
            return "b", word == "true"
        try:
            if wanted == "d" or (not wanted and "." in word):
                return "d", float(word)
            if wanted in _INTEGERS:
                return wanted or "i", int(word, 0)
        except ValueError:
            pass
        raise self.error(f"a value of type {wanted}" if wanted else "a value")

    def signature(self) -> str:
        start = self.at
        while self.at < len(self.text) and not self.text[self.at].isspace():
            self.at += 1
        return self.text[start : self.at]

    def string(self, quote: str) -> str:
        self.at += 1
        found = ""
        while True:
            character = self.text[self.at : self.at + 1]
            self.at += 1
            if character == quote:
                return found
            if not character:
                raise self.error(f"a closing {quote}")
            if character == "\\":
                character = self.text[self.at : self.at + 1]
                self.at += 1
                character = _ESCAPES.get(character, character)
            found += character

    def several(self, opening: str, wanted: str) -> "tuple[str, Any]":
        """An array or a tuple."""
        self.at += 1
        inner = wanted[1:] if opening == "[" else ""
        members = list(_members(wanted[1:-1])) if opening == "(" else []
        found: list[tuple[str, Any]] = []
        while self.peek() != _BRACKETS[opening]:
            if found:
                self.take(",")
            if opening == "(" and found and self.peek() == ")":
                break  # a tuple of one has a comma after it
            found.append(self.value(members[len(found)] if members else inner))
            inner = inner or (found[0][0] if opening == "[" else "")
        self.at += 1
        values = [value for _, value in found]
        if opening == "(":
            return f"({''.join(signature for signature, _ in found)})", tuple(values)
        if not inner or any(signature != inner for signature, _ in found):
            raise self.error("an array of one type")
        return f"a{inner}", values


def _members(signature: str) -> "list[str]":
    """The complete types in a row of them: "sa(ss)u" is "s", "a(ss)", "u"."""
    found: list[str] = []
    depth, start = 0, 0
    for at, character in enumerate(signature):
        depth += (character in "({") - (character in ")}")
        if depth == 0 and character != "a":
            found.append(signature[start : at + 1])
            start = at + 1
    return found
