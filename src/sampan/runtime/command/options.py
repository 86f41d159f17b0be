"""The command line of one verb: a table of flags, and the parser that reads words against it.

What a verb offers
    COMMAND = Command("kill", "CONTAINER [SIGNAL]", "send a signal", FLAGS, least=1, most=2)
    FLAGS   = (switch("all a", "every process"), text("pid-file", "write the pid to FILE", "FILE"), ...)
    def run(context: Context, options: Options) -> int

What it gets
    options["pid-file"]         by the flag's first name; what was not given has its default
    options.given("pid-file")   whether it was given
    options.arguments           the words that are no flags

The rules are those of Go's `flag` package as runc uses it: `--flag value`, `--flag=value`, one dash or two,
`--flag=false` for switches, `--` ends the flags. Flags may follow arguments, except where `in_order` is set (exec, ps):
there everything behind the first argument belongs to the arguments. As crun's users write it, `-bDIR` and `-td` work
too.

Errors      UsageError: the message is Go's. HelpWanted: --help or -h was given.
"""

from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MANY = 1 << 30

_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


class UsageError(InvalidArgument):
    """The words do not fit the table."""


class HelpWanted(Exception):
    """--help or -h was among the flags."""


class Flag:
    """One row: `kind` is "switch", "text", "number" or "texts"; `value` stands for a value in --help."""

    __slots__ = ("default", "help", "kind", "names", "value")

    def __init__(self, names: str, kind: str, help_text: str, value: str, default: "Any") -> None:
        self.names = names.split()
        self.kind = kind
        self.help = help_text
        self.value = value
        self.default = default


def switch(names: str, help_text: str) -> Flag:
    """True or False."""
    return Flag(names, "switch", help_text, "", False)


def text(names: str, help_text: str, value: str, default: str = "") -> Flag:
    """A word, the last one given."""
    return Flag(names, "text", help_text, value, default)


def number(names: str, help_text: str, value: str = "N", default: "int | None" = None) -> Flag:
    """An integer; None when it was not given and has no default."""
    return Flag(names, "number", help_text, value, default)


def texts(names: str, help_text: str, value: str) -> Flag:
    """A list of words, one for each time it was given."""
    return Flag(names, "texts", help_text, value, ())


class Command:
    """A verb: what its arguments are called, what it is good for, its flags, how many arguments it takes."""

    __slots__ = ("flags", "in_order", "least", "most", "name", "notes", "summary", "usage")

    def __init__(
        self,
        name: str,
        usage: str,
        summary: str,
        flags: "Sequence[Flag]" = (),
        *,
        least: int = 1,
        most: int = 1,
        in_order: bool = False,
        notes: str = "",
    ) -> None:
        self.name = name
        self.usage = usage
        self.summary = summary
        self.flags = flags
        self.least = least
        self.most = most
        self.in_order = in_order
        self.notes = notes


class Options:
    """What was given on the command line of one verb."""

    __slots__ = ("_defaults", "_values", "arguments")

    def __init__(self, flags: "Sequence[Flag]") -> None:
        self._defaults = {flag.names[0]: flag.default for flag in flags}
        self._values: dict[str, Any] = {}
        self.arguments: list[str] = []

    def __getitem__(self, name: str) -> "Any":
        return self._values[name] if name in self._values else self._defaults[name]

    def given(self, name: str) -> bool:
        return name in self._values

    def set(self, flag: Flag, word: str) -> None:
        """Take one value; UsageError when it does not fit the flag's kind."""
        name = flag.names[0]
        if flag.kind == "texts":
            self._values.setdefault(name, []).append(word)
        elif flag.kind == "number":
            self._values[name] = _integer(name, word)
        elif flag.kind == "switch":
            self._values[name] = _truth(name, word)
        else:
            self._values[name] = word


def _integer(name: str, word: str) -> int:
    try:
        return int(word, 0) if word.strip() == word else int("?")
    except ValueError:
        pass
    try:
        return int(word)  # int("010", 0) is refused, and "010" is ten here
    except ValueError:
        raise UsageError(f'invalid value "{word}" for flag -{name}: parse error') from None


def _truth(name: str, word: str) -> bool:
    if word not in _TRUE and word not in _FALSE:
        raise UsageError(f'invalid boolean value "{word}" for -{name}: parse error')
    return word in _TRUE


def parse(flags: "Sequence[Flag]", words: "list[str]", *, in_order: bool) -> Options:
    """Read `words`; with `in_order` the first argument ends the flags."""
    table = {name: flag for flag in flags for name in flag.names}
    options = Options(flags)
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        if word == "--":
            break
        if len(word) < 2 or word[0] != "-" or (options.arguments and not _is_known(table, word)):
            options.arguments.append(word)
            if in_order:
                break
            continue
        _take(table, options, word, rest)
    options.arguments.extend(reversed(rest))
    return options


def _is_known(table: "dict[str, Flag]", word: str) -> bool:
    # Behind an argument an unknown flag is an argument, too: `kill ID -9` names a signal.
    name = word.lstrip("-").partition("=")[0]
    return name in table or name in ("help", "h")


def _take(table: "dict[str, Flag]", options: Options, word: str, rest: "list[str]") -> None:
    name, equals, value = word[2 if word.startswith("--") else 1 :].partition("=")
    flag = table.get(name)
    if flag is None:
        if name in ("help", "h"):
            raise HelpWanted
        if word.startswith("--") or name[:1] not in table:
            raise UsageError(f"flag provided but not defined: -{name}")
        flag = table[name[0]]
        # Letters in one word: "-td" is "-t -d", "-bDIR" is "-b DIR".
        if flag.kind == "switch":
            rest.append("-" + word[2:])
        else:
            equals, value = "=", word[2:]
    if equals:
        options.set(flag, value)
    elif flag.kind == "switch":
        options.set(flag, "true")
    elif rest:
        options.set(flag, rest.pop())
    else:
        raise UsageError(f"flag needs an argument: -{name}")
