"""Files of variables and labels: `--env-file`, `--label-file`, and variables taken from our own environment.

Spec        A line is NAME=value, or NAME alone for our own environment's value; blank lines and lines that start with
            `#` are skipped; nothing is unquoted and a trailing blank belongs to the value.
Errors      InvalidArgument: unreadable, not UTF-8, no or bad name.
"""

from __future__ import annotations

import os

from sampan.errors import InvalidArgument


def resolve(texts: list[str]) -> list[str]:
    """`-e NAME` takes our value; one we have not either stays bare, which removes the image's."""
    resolved = []
    for text in texts:
        if "=" not in text and text in os.environ:
            resolved.append(f"{text}={os.environ[text]}")
        else:
            resolved.append(text)
    return resolved


def read(paths: list[str], *, fills_from_environment: bool) -> list[str]:
    lines: list[str] = []
    for path in paths:
        lines.extend(_read_one(path, fills_from_environment))
    return lines


def _read_one(path: str, fills_from_environment: bool) -> list[str]:
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as cause:
        raise InvalidArgument(f"open {path}: {(cause.strerror or '').lower()}") from cause
    found = []
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.rstrip(b"\r").decode().lstrip()
        except UnicodeDecodeError as cause:
            raise InvalidArgument(f"env file {path} contains invalid utf8 bytes at line {number}") from cause
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not name:
            raise InvalidArgument(f"no variable name on line '{text}'")
        if any(char.isspace() for char in name.rstrip("\n")):
            raise InvalidArgument(f"variable '{name}' contains whitespaces")
        if equals:
            found.append(f"{name}={value}")
        elif not fills_from_environment:
            found.append(name)
        elif name in os.environ:
            found.append(f"{name}={os.environ[name]}")
    return found
