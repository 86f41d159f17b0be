"""Dockerfile instructions applied to an image's configuration: `--change` of import and commit.

Invariants  1. All lines are parsed, and all their instructions known to be allowed, before the first is applied.
            2. The configuration passed in is not modified.
            3. Variables in an instruction are those of ENV before it, never of its own line.
Units       Durations in nanoseconds.
Errors      InvalidArgument in Docker's words.
Spec        Dockerfile reference; of its instructions, the eleven that `docker import --change` takes.
"""

import re
import signal
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from sampan.base.clock import parse_duration
from sampan.errors import InvalidArgument
from sampan.image.words import expand, split_words
from sampan.oci.image import Healthcheck, RunConfig

_DEFAULT_SHELL = ["/bin/sh", "-c"]
_PROTOCOLS = ("tcp", "udp", "sctp")
_MIN_HEALTH_DURATION_NS = 1_000_000


class _Instruction(NamedTuple):
    keyword: str
    flags: dict[str, str]
    text: str


class _Building:
    """A configuration while instructions change it."""

    def __init__(self, config: RunConfig) -> None:
        self.config = msgspec.convert(msgspec.to_builtins(config), RunConfig)  # a deep copy
        self.is_cmd_set = False

    def expand(self, word: str) -> str:
        return expand(word, dict(_split_pair(pair) for pair in self.config.env or ()))

    def shell_form(self, text: str) -> list[str]:
        shell = self.config.shell or _DEFAULT_SHELL
        return [*shell, text] if text else list(shell)


def apply_changes(config: RunConfig, lines: Sequence[str]) -> RunConfig:
    """The configuration that `lines`, each one or more Dockerfile lines, make of `config`."""
    if not lines:
        return config
    instructions = [_parse(line) for line in _logical_lines("\n".join(lines))]
    if not instructions:
        raise InvalidArgument("file with no instructions")
    for instruction in instructions:
        if instruction.keyword not in _INSTRUCTIONS:
            raise InvalidArgument(f"{instruction.keyword} is not a valid change command")
    building = _Building(config)
    for instruction in instructions:
        if instruction.keyword != "HEALTHCHECK":
            for name in instruction.flags:
                raise InvalidArgument(f"unknown flag: --{name}")
        _INSTRUCTIONS[instruction.keyword](building, instruction)
    return building.config


# Lines


def _logical_lines(text: str) -> list[str]:
    """Lines without comments and empty ones, those that end in a backslash joined to the next."""
    logical: list[str] = []
    pending = ""
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.endswith("\\"):
            pending += line.rstrip()[:-1]
            continue
        logical.append((pending + line).strip())
        pending = ""
    return [*logical, pending.strip()] if pending.strip() else logical


def _parse(line: str) -> _Instruction:
    keyword, _, text = line.partition(" ") if " " in line else line.partition("\t")
    text = text.strip()
    flags: dict[str, str] = {}
    while text.startswith("--"):
        flag, *rest = text.split(None, 1)
        text = rest[0] if rest else ""
        if flag == "--":
            break
        name, equals, value = flag[2:].partition("=")
        if name in flags:
            raise InvalidArgument(f"duplicate flag specified: {name}")
        if not equals:
            raise InvalidArgument(f"missing a value on flag: {name}")
        flags[name] = value
    return _Instruction(keyword.upper(), flags, text)


def _json_words(text: str) -> list[str] | None:
    """The words of a JSON array; None when it is not one, and so a shell command."""
    if not text.startswith("["):
        return None
    try:
        words = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InvalidArgument("when using JSON array syntax, arrays must be comprised of strings only")
    return words


def _split_pair(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return name, value


def _pairs(instruction: _Instruction) -> list[tuple[str, str]]:
    """`name=value name2=value2`, or the older `name the whole value`; quotes are still there."""
    keyword, _, text = instruction
    words = split_words(text)
    if not words:
        raise InvalidArgument(f"{keyword} requires at least one argument")
    if "=" not in words[0]:
        name, *value = text.split(None, 1)
        if not value:
            raise InvalidArgument(f"{keyword} must have two arguments")
        return [(name, value[0])]
    for word in words:
        if "=" not in word:
            raise InvalidArgument(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value')
    return [_split_pair(word) for word in words]


def _expanded_pairs(building: _Building, instruction: _Instruction) -> list[tuple[str, str]]:
    pairs = [(building.expand(name), building.expand(value)) for name, value in _pairs(instruction)]
    if any(not name for name, _ in pairs):
        raise InvalidArgument(f"{instruction.keyword} names can not be blank")
    return pairs


def _one_argument(building: _Building, instruction: _Instruction) -> str:
    if not instruction.text:
        raise InvalidArgument(f"{instruction.keyword} requires exactly one argument")
    return building.expand(instruction.text)


# Instructions


def _cmd(building: _Building, instruction: _Instruction) -> None:
    words = _json_words(instruction.text)
    building.config.cmd = building.shell_form(instruction.text) if words is None else words or None
    building.is_cmd_set = bool(building.config.cmd)


def _entrypoint(building: _Building, instruction: _Instruction) -> None:
    words = _json_words(instruction.text)
    if words is None and instruction.text:
        words = building.shell_form(instruction.text)
    building.config.entrypoint = words or None
    if not building.is_cmd_set:  # an inherited command was meant for the former entrypoint
        building.config.cmd = None


def _env(building: _Building, instruction: _Instruction) -> None:
    variables = list(building.config.env or ())
    for name, value in _expanded_pairs(building, instruction):
        index = next((i for i, pair in enumerate(variables) if _split_pair(pair)[0] == name), len(variables))
        variables[index : index + 1] = [f"{name}={value}"]
    building.config.env = variables


def _label(building: _Building, instruction: _Instruction) -> None:
    building.config.labels = {**(building.config.labels or {}), **dict(_expanded_pairs(building, instruction))}


def _expose(building: _Building, instruction: _Instruction) -> None:
    if not instruction.text:
        raise InvalidArgument("EXPOSE requires at least one argument")
    ports = dict(building.config.exposed_ports or {})
    for word in split_words(instruction.text):
        for expanded in building.expand(word).split():
            ports.update({port: {} for port in _parse_ports(expanded)})
    building.config.exposed_ports = dict(sorted(ports.items()))


def _parse_ports(text: str) -> list[str]:
    """`[[ip:]host:]port[-port][/protocol]`: what is published is decided when a container is made, not here."""
    address, _, protocol = text.partition("/")
    container = address.rpartition(":")[2]
    if not container:
        raise InvalidArgument(f"no port specified: {text}<empty>")
    first, dash, last = container.partition("-")
    numbers = [_small_number(part) for part in (first, last if dash else first)]
    if not 0 <= numbers[0] <= numbers[1] <= 65535:
        raise InvalidArgument(f"Invalid containerPort: {container}")
    if "/" in text and protocol.lower() not in _PROTOCOLS:
        raise InvalidArgument(f"Invalid proto: {protocol}")
    return [f"{number}/{protocol.lower() or 'tcp'}" for number in range(numbers[0], numbers[1] + 1)]


def _small_number(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else -1


def _on_build(building: _Building, instruction: _Instruction) -> None:
    if not instruction.text:
        raise InvalidArgument("ONBUILD requires at least one argument")
    trigger = instruction.text.split()[0].upper()
    if trigger == "ONBUILD":
        raise InvalidArgument("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("MAINTAINER", "FROM"):
        raise InvalidArgument(f"{trigger} isn't allowed as an ONBUILD trigger")
    building.config.on_build = [*(building.config.on_build or ()), instruction.text]


def _user(building: _Building, instruction: _Instruction) -> None:
    building.config.user = _one_argument(building, instruction)


def _volume(building: _Building, instruction: _Instruction) -> None:
    words = _json_words(instruction.text)
    paths = [building.expand(word).strip() for word in (instruction.text.split() if words is None else words)]
    if not paths:
        raise InvalidArgument("VOLUME requires at least one argument")
    if "" in paths:
        raise InvalidArgument("VOLUME specified can not be an empty string")
    building.config.volumes = {**(building.config.volumes or {}), **{path: {} for path in paths}}


def _workdir(building: _Building, instruction: _Instruction) -> None:
    path = _one_argument(building, instruction)
    if not path:
        raise InvalidArgument("cannot normalize nothing")
    joined = path if path.startswith("/") else f"{building.config.working_dir}/{path}"
    parts: list[str] = []
    for part in joined.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    building.config.working_dir = "/" + "/".join(parts)


def _stop_signal(building: _Building, instruction: _Instruction) -> None:
    name = _one_argument(building, instruction)
    if not _is_signal(name):
        raise InvalidArgument(f"invalid signal: {name}")
    building.config.stop_signal = name


def _is_signal(name: str) -> bool:
    if _small_number(name) > 0:
        return True
    short = name.upper().removeprefix("SIG")
    if re.fullmatch(r"RTMIN(\+([1-9]|1[0-5]))?|RTMAX(-([1-9]|1[0-4]))?", short):
        return True
    return "SIG" + short in signal.Signals.__members__


def _healthcheck(building: _Building, instruction: _Instruction) -> None:
    kind, *rest = instruction.text.split(None, 1) or [""]
    text = rest[0] if rest else ""
    if not kind:
        raise InvalidArgument("HEALTHCHECK requires at least one argument")
    if kind.upper() == "NONE":
        if text:
            raise InvalidArgument("HEALTHCHECK NONE takes no arguments")
        building.config.healthcheck = Healthcheck(test=["NONE"])
        return
    if kind.upper() != "CMD":
        raise InvalidArgument(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)')
    words = _json_words(text)
    if not (text if words is None else words):
        raise InvalidArgument("Missing command after HEALTHCHECK CMD")
    building.config.healthcheck = _health_options(instruction.flags)
    building.config.healthcheck.test = ["CMD-SHELL", text] if words is None else ["CMD", *words]


def _health_options(flags: dict[str, str]) -> Healthcheck:
    options = Healthcheck()
    for flag, value in flags.items():
        if flag == "retries":
            options.retries = _retries(value)
        elif flag in ("interval", "timeout", "start-period", "start-interval"):
            setattr(options, flag.replace("-", "_"), _health_duration(flag, value))
        else:
            raise InvalidArgument(f"unknown flag: --{flag}")
    return options


def _retries(text: str) -> int:
    if not re.fullmatch("[+-]?[0-9]{1,9}", text):
        raise InvalidArgument(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise InvalidArgument(f"--retries cannot be negative ({int(text)})")
    return int(text)


def _health_duration(flag: str, text: str) -> int:
    duration_ns = parse_duration(text)
    if duration_ns is None:
        problem = "missing unit in" if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text) else "invalid"
        raise InvalidArgument(f'time: {problem} duration "{text}"')
    if duration_ns < 0 or 0 < duration_ns < _MIN_HEALTH_DURATION_NS:
        raise InvalidArgument(f'Interval "{flag}" cannot be less than 1ms')
    return duration_ns


_INSTRUCTIONS: dict[str, Callable[[_Building, _Instruction], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
