"""A template and a value make text.

Values      JSON's, and `Fields`: the columns of a listing, computed when they are asked for. A Fields column may be a
            function, which takes the arguments that follow its name ({{.Label "x"}}).
Errors      InvalidArgument: "template: :1:2: executing ..." as text/template says it.
Rules       The top level knows its names, and refuses others. Below it a missing key is no value, as in a map.
"""

from __future__ import annotations

from sampan.cli.template import parser
from sampan.cli.template.functions import FUNCTIONS, MISSING, Fields, NilList, shown, truth
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


# Fields of inspect that hold lists: null there prints as an empty one, as from docker's typed values.
LISTS = frozenset(
    "Args Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeightDevice "
    "CapAdd CapDrop Cmd DeviceCgroupRules DeviceRequests Devices Dns DnsOptions DnsSearch Entrypoint Env ExecIDs "
    "ExtraHosts GroupAdd Links MaskedPaths Mounts OnBuild ReadonlyPaths RepoDigests RepoTags SecurityOpt Ulimits "
    "VolumesFrom".split()
)


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Template:
    """A parsed template; `render` may be called for one row after another."""

    __slots__ = ("_nodes", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self._nodes = parser.parse(source)

    def render(self, value: Any, *, functions: dict[str, Callable[..., Any]] = FUNCTIONS) -> str:
        return _Evaluation(value, self._nodes, functions).run(self._nodes)


class _Evaluation:
    def __init__(self, root: Any, nodes: list[parser.Node], functions: dict[str, Callable[..., Any]]) -> None:
        self._root = root
        self._functions = functions
        self._out: list[str] = []
        self._scopes: list[dict[str, Any]] = [{"$": root}]
        self._definitions = {node[1]: node[2] for node in nodes if node[0] == "define"}

    def run(self, nodes: list[parser.Node]) -> str:
        self._walk(nodes, self._root)
        return "".join(self._out)

    def _walk(self, nodes: list[parser.Node], dot: Any) -> None:
        for node in nodes:
            kind = node[0]
            if kind == "text":
                self._out.append(node[1])
            elif kind == "print":
                value = self._pipe(node[1], dot)
                if not node[1][0]:
                    self._out.append(shown(value))
            elif kind == "range":
                self._range(node, dot)
            elif kind in ("if", "with"):
                self._branch(node, dot)
            elif kind == "template":
                self._call_template(node, dot)
            elif kind == "break":
                raise _Break
            elif kind == "continue":
                raise _Continue

    def _branch(self, node: parser.Node, dot: Any) -> None:
        self._scopes.append({})
        value = self._pipe(node[1], dot)
        if truth(value):
            self._walk(node[2], value if node[0] == "with" else dot)
        else:
            self._walk(node[3], dot)
        self._scopes.pop()

    def _range(self, node: parser.Node, dot: Any) -> None:
        variables, _, commands = node[1]
        value = self._pipe(([], False, commands), dot)
        if isinstance(value, dict):
            items = [(key, value[key]) for key in sorted(value)]
        elif isinstance(value, list):
            items = list(enumerate(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            items = [(number, number) for number in range(value)]
        elif value is None or value is MISSING:
            items = []
        else:
            raise InvalidArgument(f"range can't iterate over {shown(value)}")
        if not items:
            self._walk(node[3], dot)
        for key, item in items:
            names = dict(zip(variables, (key, item) if len(variables) == 2 else (item,), strict=False))
            self._scopes.append(names)
            try:
                self._walk(node[2], item)
            except _Continue:
                continue
            except _Break:
                break
            finally:
                self._scopes.pop()

    def _call_template(self, node: parser.Node, dot: Any) -> None:
        if node[1] not in self._definitions:
            raise InvalidArgument(f'template: :1: template "{node[1]}" not defined')
        value = self._pipe(node[2], dot) if node[2] else None
        scopes, self._scopes = self._scopes, [{"$": value}]
        self._walk(self._definitions[node[1]], value)
        self._scopes = scopes

    def _pipe(self, pipe: parser.Pipe, dot: Any) -> Any:
        variables, is_declaration, commands = pipe
        value: Any = None
        for number, command in enumerate(commands):
            value = self._command(command, dot, [value] if number else [])
        for name in variables:
            self._assign(name, value, is_declaration=is_declaration)
        return value

    def _assign(self, name: str, value: Any, *, is_declaration: bool) -> None:
        if not is_declaration:
            for scope in reversed(self._scopes):
                if name in scope:
                    scope[name] = value
                    return
            raise InvalidArgument(f'template: :1: undefined variable "{name}"')
        self._scopes[-1][name] = value

    def _command(self, command: list[Any], dot: Any, piped: list[Any]) -> Any:
        kind, value = command[0]
        if kind == "name" and value not in ("true", "false", "nil"):
            if value in ("and", "or"):
                return self._decide(value, command[1:], dot, piped)
            arguments = [self._operand(one, dot) for one in command[1:]] + piped
            return self._apply(self._functions[value], " ".join(_spelled(one) for one in command), arguments)
        arguments = [self._operand(one, dot) for one in command[1:]] + piped
        if kind == "field" and arguments:
            return self._lookup(dot, value, arguments)
        if arguments:
            raise InvalidArgument(f"template: :1: can't give argument to non-function {_spelled(command[0])}")
        return self._operand(command[0], dot)

    def _decide(self, name: str, operands: list[Any], dot: Any, piped: list[Any]) -> Any:
        value: Any = MISSING
        for operand in operands:
            value = self._operand(operand, dot)
            if truth(value) == (name == "or"):
                return value
        return piped[0] if piped else value

    @staticmethod
    def _apply(function: Callable[..., Any], name: str, arguments: list[Any]) -> Any:
        try:
            return function(*arguments)
        except InvalidArgument as cause:
            raise InvalidArgument(f'template: :1:2: executing "" at <{name}>: {cause}') from cause
        except (TypeError, ValueError, AttributeError) as cause:
            raise InvalidArgument(f'template: :1: executing "" at <{name}>: wrong arguments for {name}') from cause

    def _operand(self, operand: Any, dot: Any) -> Any:
        kind, value = operand
        if kind == "field":
            return self._lookup(dot, value, [])
        if kind == "variable":
            name, chain = value
            for scope in reversed(self._scopes):
                if name in scope:
                    return self._lookup(scope[name], chain, [])
            raise InvalidArgument(f'template: :1: undefined variable "{name}"')
        if kind == "pipe":
            return self._pipe(value, dot)
        if kind == "name":
            if value in ("true", "false", "nil"):
                return {"true": True, "false": False, "nil": None}[value]
            return self._apply(self._functions[value], value, [])
        if kind == "chain":
            return self._lookup(self._operand(value[0], dot), value[1], [])
        return value

    def _lookup(self, value: Any, chain: tuple[str, ...], arguments: list[Any]) -> Any:
        for depth, name in enumerate(chain):
            if isinstance(value, Fields):
                if name not in value.columns:
                    raise _unknown(chain, depth, f"can't evaluate field {name} in type {value.kind}")
                found = value.columns[name]
                value = self._apply(found, _dotted(chain), arguments) if callable(found) else found
            elif isinstance(value, dict):
                if name not in value and (value is self._root or depth < len(chain) - 1):
                    raise _unknown(chain, depth, f'map has no entry for key "{name}"')
                value = value.get(name, MISSING)
            elif value is None or value is MISSING:
                raise _unknown(chain, depth, f"nil pointer evaluating interface {{}}.{name}")
            else:
                raise _unknown(chain, depth, f"can't evaluate field {name} in type {type(value).__name__}")
        return NilList() if value is None and chain and chain[-1] in LISTS else value


def _unknown(chain: tuple[str, ...], depth: int, problem: str) -> InvalidArgument:
    # The position is the name's in a template that starts with it, as most do.
    position = 2 + sum(len(name) + 1 for name in chain[:depth])
    return InvalidArgument(f'template: :1:{position}: executing "" at <{_dotted(chain)}>: {problem}')


def _dotted(chain: tuple[str, ...]) -> str:
    return "." + ".".join(chain)


def _spelled(operand: Any) -> str:
    kind, value = operand
    if kind == "field":
        return _dotted(value)
    if kind == "string":
        return f'"{value}"'
    if kind == "variable":
        return str(value[0]) + (_dotted(value[1]) if value[1] else "")
    return "(...)" if kind in ("pipe", "chain") else str(value)
