"""Containers by a regular expression, which crun's `kill` and `delete` take (--regex)."""

import re

from sampan.errors import InvalidArgument
from sampan.runtime.command.store import Container, list_all


def matching(root: str, expression: str) -> "list[Container]":
    """Those whose id has a match anywhere."""
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise InvalidArgument(f"invalid regular expression {expression!r}: {error}") from error
    return [container for container in list_all(root) if pattern.search(container.id)]
