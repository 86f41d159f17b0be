"""A Go template as text and actions, and an action as tokens.

Layout      split() cuts "a{{b}}c" into ("text", "a"), ("action", "b"), ("text", "c"), with trim markers applied and
            comments dropped. tokenize() gives (kind, value) of one action.
Kinds       "field" (".A.B" as a tuple), "name", "variable", "string", "number", "op" (one of | ( ) , = :=),
            "chain" (fields of the group before it).
Errors      InvalidArgument, in the words of text/template's parser.
Spec        Go text/template, "Actions" and "Text and spaces".
"""

from __future__ import annotations

from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Token = tuple[str, Any]

_SPACE = " \t\r\n"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def unclosed(what: str) -> InvalidArgument:
    return InvalidArgument(f"template: :1: {what}")


def split(source: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    at = 0
    trims_next = False
    while True:
        start = source.find("{{", at)
        text = source[at:] if start < 0 else source[at:start]
        if trims_next:
            text = text.lstrip(_SPACE)
        if start < 0:
            parts.append(("text", text))
            return parts
        end = _action_end(source, start + 2)
        action = source[start + 2 : end]
        if action[:1] == "-" and action[1:2] in tuple(_SPACE):
            text = text.rstrip(_SPACE)
            action = action[1:]
        trims_next = action[-1:] == "-" and action[-2:-1] in tuple(_SPACE)
        if trims_next:
            action = action[:-1]
        parts.append(("text", text))
        action = action.strip(_SPACE)
        if not action.startswith("/*"):
            parts.append(("action", action))
        at = end + 2


def _action_end(source: str, at: int) -> int:
    """The index of the `}}` that closes the action which starts at `at`; those inside quotes do not count."""
    quote = ""
    while at < len(source):
        char = source[at]
        if quote:
            if char == "\\" and quote != "`":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "\"'`":
            quote = char
        elif source.startswith("/*", at):
            close = source.find("*/", at)
            if close < 0:
                raise unclosed("unclosed comment")
            at = close + 1
        elif source.startswith("}}", at):
            return at
        at += 1
    raise unclosed("unterminated quoted string" if quote else "unclosed action")


def tokenize(action: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while at < len(action):
        char = action[at]
        if char in _SPACE:
            at += 1
        elif char in "\"'`":
            value, at = _quoted(action, at)
            tokens.append(("number", ord(value)) if char == "'" else ("string", value))
        elif char == "." or char == "$" or char.isalpha() or char == "_":
            follows_group = char == "." and action[at - 1 : at] == ")"
            token, at = _word(action, at)
            tokens.append(("chain", token[1]) if follows_group else token)
        elif char.isdigit() or (char in "+-" and action[at + 1 : at + 2].isdigit()):
            token, at = _number(action, at)
            tokens.append(token)
        elif action.startswith(":=", at):
            tokens.append(("op", ":="))
            at += 2
        elif char in "|(),=":
            tokens.append(("op", char))
            at += 1
        else:
            raise unclosed(f"unexpected {_shown(char)} in command")
    return tokens


def _shown(char: str) -> str:
    return f'"{char}"' if char.isprintable() else f"unrecognized character in action: U+{ord(char):04X}"


def _quoted(action: str, at: int) -> tuple[str, int]:
    quote = action[at]
    at += 1
    out = ""
    while at < len(action):
        char = action[at]
        if char == quote:
            return out, at + 1
        if char == "\\" and quote != "`":
            at += 1
            follow = action[at : at + 1]
            if follow == "u":
                out += chr(int(action[at + 1 : at + 5], 16))
                at += 5
                continue
            if follow == "x":
                out += chr(int(action[at + 1 : at + 3], 16))
                at += 3
                continue
            out += _ESCAPES.get(follow, follow)
        else:
            out += char
        at += 1
    raise unclosed("unterminated quoted string")


def _word(action: str, at: int) -> tuple[Token, int]:
    """A field chain, a variable with its chain, or a name: (kind, first, chain)."""
    start = at
    if action[at] == "$":
        at = _identifier_end(action, at + 1)
    elif action[at] != ".":
        at = _identifier_end(action, at)
    head = action[start:at]
    chain: list[str] = []
    while action[at : at + 1] == ".":
        end = _identifier_end(action, at + 1)
        if end == at + 1:
            if not head and not chain:
                return ("field", ()), end
            raise unclosed("unexpected <.> in operand")
        chain.append(action[at + 1 : end])
        at = end
    if not head:
        return ("field", tuple(chain)), at
    if head[0] == "$":
        return ("variable", (head, tuple(chain))), at
    return ("name", head), at


def _identifier_end(action: str, at: int) -> int:
    while at < len(action) and (action[at].isalnum() or action[at] == "_"):
        at += 1
    return at


def _number(action: str, at: int) -> tuple[Token, int]:
    start = at
    at += 1
    while at < len(action) and (action[at].isalnum() or action[at] in "._"):
        at += 1
    text = action[start:at]
    try:
        return ("number", int(text, 0)), at
    except ValueError:
        try:
            return ("number", float(text)), at
        except ValueError as cause:
            raise unclosed(f'bad number syntax: "{text}"') from cause
