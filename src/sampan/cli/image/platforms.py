"""`--platform` values as the API's query wants them: a JSON object."""

from __future__ import annotations

from sampan.client import jsontext
from sampan.errors import InvalidArgument


def platform_json(text: str) -> str:
    """ "linux/arm64/v8" as {"os": "linux", "architecture": "arm64", "variant": "v8"}."""
    parts = text.split("/")
    if not all(parts) or len(parts) > 3:
        raise InvalidArgument(f"invalid platform: {text!r} is an invalid OS component")
    if len(parts) == 1:
        raise InvalidArgument(f'invalid platform: "{text}": unknown operating system or architecture')
    return jsontext.dumps(dict(zip(("os", "architecture", "variant"), parts, strict=False)))
