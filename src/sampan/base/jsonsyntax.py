"""JSON checked and stripped of blanks, with everything else as it was written: numbers, escapes, order, repeated names.

For texts that are passed on as they are. Complaints are those of Go's encoding/json, by which clients know them.
Errors      ValueError.
Spec        RFC 8259; encoding/json, scanner.go, for the words.
"""

_BLANK = " \t\r\n"
_DIGITS = "0123456789"
_HEX = "0123456789abcdefABCDEF"
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_ENDS = {"{": "}", "[": "]"}


def compact(text: bytes) -> bytes:
    """The text without blanks between its tokens."""
    return _Scanner(text.decode("latin-1")).compacted().encode("latin-1")


class _Scanner:
    """Bytes are read as characters of their value: what is not ASCII stands in strings only, and stays as it is."""

    __slots__ = ("_kept", "_open", "_place", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._kept: list[str] = []
        self._open: list[str] = []  # what ends the objects and arrays around

    def compacted(self) -> str:
        self._value()
        while self._open:
            self._after_value()
        self._skip_blanks()
        if self._place < len(self._text):
            raise self._wrong("after top-level value")
        return "".join(self._kept)

    def _value(self) -> None:
        """A value up to its end, or up to the first value inside it."""
        character = self._next()
        if character in _ENDS:
            self._keep()
            self._open.append(_ENDS[character])
            if self._next() == self._open[-1]:
                self._close()
            elif character == "{":
                self._name()
            else:
                self._value()
        elif character == '"':
            self._string()
        elif character == "-" or character in _DIGITS:
            self._number()
        elif character in _LITERALS:
            self._literal(_LITERALS[character])
        else:
            raise self._wrong("looking for beginning of value")

    def _after_value(self) -> None:
        character = self._next()
        if character == self._open[-1]:
            self._close()
        elif character != ",":
            raise self._wrong("after object key:value pair" if self._open[-1] == "}" else "after array element")
        else:
            self._keep()
            if self._open[-1] == "}":
                self._next()
                self._name()
            else:
                self._value()

    def _name(self) -> None:
        if self._text[self._place] != '"':
            raise self._wrong("looking for beginning of object key string")
        self._string()
        if self._next() != ":":
            raise self._wrong("after object key")
        self._keep()
        self._value()

    def _close(self) -> None:
        self._keep()
        self._open.pop()

    def _string(self) -> None:
        self._keep()
        while (character := self._here()) != '"':
            if character < " ":
                raise self._wrong("in string literal")
            self._keep()
            if character == "\\":
                self._escape()
        self._keep()

    def _escape(self) -> None:
        kind = self._here()
        if kind not in '"\\/bfnrtu':
            raise self._wrong("in string escape code")
        self._keep()
        for _ in range(4 if kind == "u" else 0):
            if self._here() not in _HEX:
                raise self._wrong("in \\u hexadecimal character escape")
            self._keep()

    def _number(self) -> None:
        if self._here() == "-":
            self._keep()
        if self._here() == "0":
            self._keep()
        else:
            self._digits("in numeric literal")
        if self._is_here("."):
            self._keep()
            self._digits("after decimal point in numeric literal")
        if self._is_here("eE"):
            self._keep()
            if self._is_here("+-"):
                self._keep()
            self._digits("in exponent of numeric literal")

    def _digits(self, where: str) -> None:
        if self._here() not in _DIGITS:
            raise self._wrong(where)
        while self._is_here(_DIGITS):
            self._keep()

    def _literal(self, word: str) -> None:
        for expected in word:
            if self._here() != expected:
                raise self._wrong(f"in literal {word} (expecting '{expected}')")
            self._keep()

    def _skip_blanks(self) -> None:
        while self._is_here(_BLANK):
            self._place += 1

    def _next(self) -> str:
        self._skip_blanks()
        return self._here()

    def _here(self) -> str:
        if self._place == len(self._text):
            raise ValueError("unexpected end of JSON input")
        return self._text[self._place]

    def _is_here(self, characters: str) -> bool:
        return self._place < len(self._text) and self._text[self._place] in characters

    def _keep(self) -> None:
        self._kept.append(self._text[self._place])
        self._place += 1

    def _wrong(self, where: str) -> ValueError:
        character = self._text[self._place]
        shown = {"'": r"'\''", '"': "'\"'", "\\": r"'\\'", "\n": r"'\n'", "\t": r"'\t'", "\r": r"'\r'"}.get(character)
        if shown is None:
            shown = f"'{character}'" if character.isprintable() else rf"'\x{ord(character):02x}'"
        return ValueError(f"invalid character {shown} {where}")
