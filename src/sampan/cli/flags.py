"""Command line flags by Go's pflag rules, from tables.

Layout      A table is a tuple of rows (name, shorthand, kind, usage[, default shown in help]); the kind names a row of
            `kinds.KINDS`. `parse` gives a `Parsed`: values by flag name, what was set, and the arguments.
Rules       `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`; shorthands join (`-itp80:80`); a boolean
            takes a value only after `=`; no abbreviation; `--` ends the flags; where a command runs another program
            (run, create, exec) they end at the first argument.
Errors      UsageError, in pflag's words. HelpWanted: `--help` (or `-h` where no flag has that letter).
"""

from __future__ import annotations

from sampan.cli.kinds import KINDS, parse_bool
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Row = tuple[str, ...]

NAME, SHORT, KIND, USAGE, SHOWN = range(5)
# Old spellings of flags, which docker accepts and does not show.
OLD_NAMES = {"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option", "time": "timeout"}


class UsageError(InvalidArgument):
    """The command line is wrong: exit code 125."""


class HelpWanted(Exception):
    """The user asked for help. `is_shorthand`: by the `-h` that docker calls deprecated."""

    def __init__(self, *, is_shorthand: bool) -> None:
        super().__init__()
        self.is_shorthand = is_shorthand


class Parsed:
    """The values of a command line; a flag that was not given has its kind's zero value."""

    __slots__ = ("arguments", "changed", "values")

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.changed: set[str] = set()
        self.arguments: list[str] = []

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def parse(rows: Sequence[Row], words: Sequence[str], *, stops_at_argument: bool = False) -> Parsed:
    return _Parser(rows, stops_at_argument).parse(words)


class _Parser:
    def __init__(self, rows: Sequence[Row], stops_at_argument: bool) -> None:
        self._stops_at_argument = stops_at_argument
        self._by_name = {row[NAME]: row for row in rows}
        self._by_letter = {row[SHORT]: row for row in rows if row[SHORT]}
        self.parsed = Parsed({row[NAME]: KINDS[row[KIND]].zero() for row in rows})

    def parse(self, words: Sequence[str]) -> Parsed:
        rest = list(reversed(words))
        arguments = self.parsed.arguments
        while rest:
            word = rest.pop()
            if len(word) < 2 or word[0] != "-":
                arguments.append(word)
                if self._stops_at_argument:
                    break
            elif word == "--":
                break
            elif word[1] == "-":
                self._take_long(word, rest)
            else:
                self._take_letters(word, rest)
        arguments.extend(reversed(rest))
        return self.parsed

    def _take_long(self, word: str, rest: list[str]) -> None:
        name, equals, text = word[2:].partition("=")
        if not name or name[0] == "-":
            raise UsageError(f"bad flag syntax: {word}")
        if name == "help":
            if not equals or parse_bool(text):
                raise HelpWanted(is_shorthand=False)
            return
        row = self._by_name.get(name) or self._by_name.get(OLD_NAMES.get(name, ""))
        if row is None:
            raise UsageError(f"unknown flag: --{name}")
        if not equals:
            implied = KINDS[row[KIND]].implied
            if implied is not None:
                text = implied
            elif not rest:
                raise UsageError(f"flag needs an argument: --{name}")
            else:
                text = rest.pop()
        self._set(row, text)

    def _take_letters(self, word: str, rest: list[str]) -> None:
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            row = self._by_letter.get(letter)
            if row is None:
                if letter == "h":
                    raise HelpWanted(is_shorthand=True)
                raise UsageError(f"unknown shorthand flag: {_quoted_letter(letter)} in -{letter}{letters}")
            implied = KINDS[row[KIND]].implied
            if letters[:1] == "=":
                text, letters = letters[1:], ""
            elif implied is not None:
                text = implied
            elif letters:
                text, letters = letters, ""
            elif rest:
                text = rest.pop()
            else:
                raise UsageError(f"flag needs an argument: {_quoted_letter(letter)} in -{letter}")
            self._set(row, text)

    def _set(self, row: Row, text: str) -> None:
        name = row[NAME]
        kind = KINDS[row[KIND]]
        try:
            value = kind.parse(text)
        except InvalidArgument as cause:
            shown = f"-{row[SHORT]}, --{name}" if row[SHORT] else f"--{name}"
            raise UsageError(f'invalid argument "{text}" for "{shown}" flag: {cause}') from cause
        if not kind.is_many:
            self.parsed.values[name] = value
        elif isinstance(self.parsed.values[name], dict):
            self.parsed.values[name].update(value)
        else:
            self.parsed.values[name].extend(value)
        self.parsed.changed.add(name)


def _quoted_letter(letter: str) -> str:
    return f"'{letter}'"
