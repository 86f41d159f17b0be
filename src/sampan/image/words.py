"""Words of a Dockerfile instruction: splitting them, removing quotes, expanding `$NAME` and `${NAME}`.

Invariants  1. A single-quoted part is literal; in a double-quoted one a backslash escapes only `"`, `$` and itself;
               outside quotes it escapes anything, and at the very end it vanishes.
            2. An unset variable expands to nothing. Expansions are not expanded again.
Errors      InvalidArgument in Docker's words.
Spec        Dockerfile reference, "Environment replacement".
"""

from collections.abc import Mapping

from sampan.errors import InvalidArgument

ESCAPE = "\\"
_SPECIAL_PARAMETERS = frozenset("@*#?-$!")


def split_words(text: str) -> list[str]:
    """Words separated by blanks outside quotes, still with their quotes and backslashes."""
    words: list[str] = []
    word = ""
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        if not quote and char.isspace():
            if word:
                words.append(word)
            word = ""
        elif char == ESCAPE and quote != "'":
            word += text[position : position + 2]
            position += 1
        else:
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            word += char
        position += 1
    return [*words, word] if word else words


def expand(word: str, variables: Mapping[str, str]) -> str:
    """`word` without its quotes and with its variables replaced."""
    try:
        return _Expansion(word, variables).until(None)
    except ValueError as error:
        raise InvalidArgument(f'failed to process "{_escaped(word)}": {error}') from error


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")


class _Expansion:
    """A position moving through one word."""

    def __init__(self, word: str, variables: Mapping[str, str]) -> None:
        self._word = word
        self._variables = variables
        self._position = 0

    def _peek(self) -> str:
        return self._word[self._position : self._position + 1]

    def _take(self) -> str:
        char = self._peek()
        self._position += 1
        return char

    def until(self, stop: str | None) -> str:
        """The expansion of everything up to `stop`, which is consumed, or to the end."""
        result = ""
        while char := self._take():
            if char == stop:
                return result
            if char == "'":
                result += self._single_quoted()
            elif char == '"':
                result += self._double_quoted()
            elif char == "$":
                result += self._variable()
            else:
                result += self._take() if char == ESCAPE else char
        if stop is not None:
            raise ValueError(f"syntax error: missing '{stop}'")
        return result

    def _single_quoted(self) -> str:
        end = self._word.find("'", self._position)
        if end < 0:
            raise ValueError("unexpected end of statement while looking for matching single-quote")
        quoted = self._word[self._position : end]
        self._position = end + 1
        return quoted

    def _double_quoted(self) -> str:
        result = ""
        while char := self._take():
            if char == '"':
                return result
            if char == "$":
                result += self._variable()
            elif char == ESCAPE and self._peek():
                escaped = self._take()
                result += escaped if escaped in '"$\\' else char + escaped
            else:
                result += char
        raise ValueError("unexpected end of statement while looking for matching double-quote")

    def _variable(self) -> str:
        if self._peek() != "{":
            name = self._name()
            return self._variables.get(name, "") if name else "$"
        self._take()
        if self._peek() in ("", "}", ":"):
            raise ValueError("syntax error: bad substitution")
        name = self._name()
        value = self._variables.get(name)
        modifier = self._take()
        if modifier == "}":
            return value or ""
        if is_empty_unset := modifier == ":":
            modifier = self._take()
        if modifier not in ("+", "-", "?"):
            shown = ":" if is_empty_unset else ""
            raise ValueError(f"unsupported modifier ({shown}{modifier or chr(0xFFFD)}) in substitution")
        word = self.until("}")
        is_set = bool(value) if is_empty_unset else value is not None
        if modifier == "+":
            return word if is_set else ""
        if is_set:
            return value or ""
        if modifier == "?":
            raise ValueError(f"{name}: {word or 'is not allowed to be unset'}")
        return word

    def _name(self) -> str:
        start = self._position
        first = self._peek()
        if first in _SPECIAL_PARAMETERS:
            self._position += 1
        elif first.isdigit():
            while self._peek().isdigit():
                self._position += 1
        else:
            while (char := self._peek()) and (char == "_" or char.isalnum()):
                self._position += 1
        return self._word[start : self._position]
