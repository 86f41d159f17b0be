"""The setting `runtimes` and the flag `--add-runtime`: what dockerd's mean, of which the program's path is used.

    {"crun": {"path": "/usr/bin/crun", "runtimeArgs": ["--debug"]}}
    {"crun": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "/usr/bin/crun"}}}

Errors      InvalidArgument, in dockerd's words where it has some. A "runtimeType" other than that is refused.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from sampan.engine.runtimes import OWN, Runtime
from sampan.errors import InvalidArgument

_SHIM = "io.containerd.runc.v2"
_KEYS = {"path": str, "runtimeArgs": list, "runtimeType": str, "options": dict}
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


def from_flags(texts: list[str]) -> dict[str, Runtime]:
    """The runtimes of all --add-runtime NAME=PATH."""
    found: dict[str, Runtime] = {}
    for text in texts:
        name, _, path = (part.strip() for part in text.partition("="))
        if not name or not path:
            raise _wrong(text, f"invalid runtime argument: {text}")
        if name == OWN:
            raise _wrong(text, f"runtime name '{OWN}' is reserved")
        if name in found:
            raise _wrong(text, f"runtime '{name}' was already defined")
        found[name] = _checked(name, Runtime(path))
    return found


def _wrong(text: str, reason: str) -> InvalidArgument:
    return InvalidArgument(f'invalid argument "{text}" for "--add-runtime" flag: {reason}')


def from_file(settings: Mapping[str, Any]) -> dict[str, Runtime]:
    """The runtimes of the setting, an object by name."""
    return {name: _checked(name, _runtime(name, found)) for name, found in settings.items()}


def _checked(name: str, runtime: Runtime) -> Runtime:
    if name == OWN:
        raise InvalidArgument(f"runtime name '{OWN}' is reserved")
    if not _NAME.fullmatch(name):
        raise InvalidArgument(f"invalid runtime name {name!r}")
    return runtime


def _runtime(name: str, found: object) -> Runtime:
    if not isinstance(found, dict):
        raise InvalidArgument(f"runtime {name}: expected an object, got {json.dumps(found)}")
    for key, setting in found.items():
        if key not in _KEYS or type(setting) is not _KEYS[key]:
            raise InvalidArgument(f"runtime {name}: {key}: cannot be {json.dumps(setting)}")
    path, args, kind = found.get("path", ""), found.get("runtimeArgs", []), found.get("runtimeType", "")
    options = found.get("options", {})
    if not all(isinstance(argument, str) for argument in args):
        raise InvalidArgument(f"runtime {name}: runtimeArgs: expected a list of strings, got {json.dumps(args)}")
    if not path and not kind:
        raise InvalidArgument(f"runtime {name}: either a runtimeType or a path must be configured")
    if not path:
        return _of_type(name, kind, args, options)
    if kind:
        raise InvalidArgument(f"runtime {name}: cannot configure both path and runtimeType for the same runtime")
    if options:
        raise InvalidArgument(f"runtime {name}: options cannot be used with a path runtime")
    return Runtime(path, tuple(args))


def _of_type(name: str, kind: str, args: list[str], options: dict[str, Any]) -> Runtime:
    if args:
        raise InvalidArgument(f"runtime {name}: args cannot be used with a runtimeType runtime")
    binary = options.get("BinaryName")
    if kind != _SHIM or not isinstance(binary, str) or not binary or len(options) > 1:
        raise InvalidArgument(
            f"runtime {name}: of runtimeType, only {_SHIM} with the option BinaryName is supported; give a path instead"
        )
    return Runtime(binary)
