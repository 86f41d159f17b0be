"""Go templates as a tree.

Layout      A template is a list of nodes; a node is a tuple whose first item names it:
              ("text", string)
              ("print", pipe)
              ("if", pipe, nodes, else nodes)
              ("with", pipe, nodes, else nodes)
              ("range", pipe, nodes, else nodes)
              ("break",) ("continue",)
              ("define", name, nodes) ("template", name, pipe or None)
            A pipe is (variables, is_declaration, commands); a command is a list of operands; an operand is a token of
            the lexer, ("pipe", pipe), or ("chain", (operand, names)).
Errors      InvalidArgument, in the words of text/template's parser.
"""

from __future__ import annotations

from sampan.cli.template import lexer
from sampan.cli.template.functions import FUNCTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Node = tuple[Any, ...]
    Pipe = tuple[list[str], bool, list[list[Any]]]


KNOWN_NAMES = frozenset(FUNCTIONS) | {"and", "or", "true", "false", "nil"}


def parse(source: str) -> list[Node]:
    nodes, closing = _Parser(lexer.split(source)).parse_nodes()
    if closing is not None:
        raise lexer.unclosed(f"unexpected {{{{{closing}}}}}")
    return nodes


class _Parser:
    def __init__(self, parts: list[tuple[str, str]]) -> None:
        self._parts = parts
        self._at = 0

    def parse_nodes(self) -> tuple[list[Node], str | None]:
        """Nodes up to an `end` or `else` action (given back as text), or the end of the source."""
        nodes: list[Node] = []
        while self._at < len(self._parts):
            kind, text = self._parts[self._at]
            self._at += 1
            if kind == "text":
                if text:
                    nodes.append(("text", text))
                continue
            word, _, rest = text.partition(" ")
            if word in ("end", "else"):
                return nodes, text
            if word in ("if", "with", "range"):
                nodes.append(self._parse_block(word, rest))
            elif word in ("break", "continue"):
                nodes.append((word,))
            elif word in ("define", "block"):
                nodes.extend(self._parse_definition(word, rest))
            elif word == "template":
                nodes.append(_template_call(rest))
            else:
                nodes.append(("print", parse_pipe(lexer.tokenize(text))))
        return nodes, None

    def _parse_block(self, word: str, condition: str) -> Node:
        tokens = lexer.tokenize(condition)
        if not tokens:
            raise lexer.unclosed(f"missing value for {word}")
        pipe = parse_pipe(tokens, is_range=word == "range")
        body, closing = self.parse_nodes()
        otherwise: list[Node] = []
        if closing is not None and closing.split()[0] == "else":
            chained = closing.split(maxsplit=2)[1:]
            if chained and chained[0] in ("if", "with"):
                return (word, pipe, body, [self._parse_block(chained[0], " ".join(chained[1:]))])
            otherwise, closing = self.parse_nodes()
        if closing is None:
            raise lexer.unclosed("unexpected EOF")
        return (word, pipe, body, otherwise)

    def _parse_definition(self, word: str, rest: str) -> list[Node]:
        tokens = lexer.tokenize(rest)
        if not tokens or tokens[0][0] != "string":
            raise lexer.unclosed(f"unexpected {rest!r} in {word} clause")
        body, closing = self.parse_nodes()
        if closing is None:
            raise lexer.unclosed("unexpected EOF")
        name = tokens[0][1]
        definition: Node = ("define", name, body)
        return [definition] if word == "define" else [definition, ("template", name, parse_pipe(tokens[1:]))]


def _template_call(rest: str) -> Node:
    tokens = lexer.tokenize(rest)
    if not tokens or tokens[0][0] != "string":
        raise lexer.unclosed("unexpected token in template clause")
    return ("template", tokens[0][1], parse_pipe(tokens[1:]) if tokens[1:] else None)


def parse_pipe(tokens: list[lexer.Token], *, is_range: bool = False) -> Pipe:
    variables: list[str] = []
    is_declaration = False
    for at, token in enumerate(tokens):
        if token in (("op", ":="), ("op", "=")):
            variables = [value[0] for kind, value in tokens[:at] if kind == "variable"]
            is_declaration = token[1] == ":="
            if len(variables) > (2 if is_range else 1):
                raise lexer.unclosed("too many declarations in command")
            tokens = tokens[at + 1 :]
            break
    commands: list[list[Any]] = [[]]
    rest = list(reversed(tokens))
    while rest:
        kind, value = rest.pop()
        if (kind, value) == ("op", "|"):
            if not commands[-1]:
                raise lexer.unclosed("missing value for command")
            commands.append([])
        elif (kind, value) == ("op", "("):
            commands[-1].append(_parse_group(rest))
        elif kind == "chain":
            commands[-1].append(("chain", (commands[-1].pop(), value)))
        elif kind == "op":
            raise lexer.unclosed(f'unexpected "{value}" in command')
        else:
            if kind == "name" and value not in KNOWN_NAMES:
                raise lexer.unclosed(f'function "{value}" not defined')
            commands[-1].append((kind, value))
    if not commands[-1]:
        raise lexer.unclosed("missing value for command")
    return variables, is_declaration, commands


def _parse_group(rest: list[lexer.Token]) -> Any:
    """A parenthesised pipe, with the field chain that may follow it."""
    inner = []
    depth = 1
    while rest:
        token = rest.pop()
        depth += (token == ("op", "(")) - (token == ("op", ")"))
        if not depth:
            break
        inner.append(token)
    if depth:
        raise lexer.unclosed("unclosed left paren")
    operand: Any = ("pipe", parse_pipe(inner))
    return operand
