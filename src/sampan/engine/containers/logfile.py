"""How a container's log is to be written: the engine's reading of HostConfig.LogConfig."""

import re
from typing import Any

from sampan.api.wire.host import LogConfig
from sampan.errors import InvalidArgument

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKmMgGtTpP]?)(?:[iI]?[bB])?")
_EXPONENTS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def size_bytes(text: str) -> int:
    """Bytes of a size in Docker's notation, 10m or 1.5GiB (all binary); "-1" and "" are 0: no limit."""
    if text in ("", "-1"):
        return 0
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidArgument(f"invalid size: '{text}'")
    return int(float(match[1]) * 1024 ** _EXPONENTS[match[2].lower()])


def log_settings(config: LogConfig, path: str) -> dict[str, Any]:
    """What the shim is told about the log (runtime.request, `log`)."""
    options = config.config or {}
    count = options.get("max-file", "1")
    if not (count.isascii() and count.isdigit() and int(count) >= 1):
        raise InvalidArgument(f"max-file cannot be less than 1: {count!r}")
    return {
        "driver": config.type or "json-file",
        "path": path,
        "max_size": size_bytes(options.get("max-size", "")),
        "max_file": int(count),
    }
