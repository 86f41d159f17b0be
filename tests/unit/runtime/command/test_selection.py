from collections.abc import Callable

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command.context import Context
from sampan.runtime.command.selection import matching
from sampan.runtime.command.store import Container

Make = Callable[..., Container]


def test_an_expression_matches_anywhere(context: Context, make: Make) -> None:
    for id in ("web-1", "web-2", "other"):
        make(id)
    assert [found.id for found in matching(context.root, "eb-*")] == ["web-1", "web-2"]
    assert [found.id for found in matching(context.root, "^o")] == ["other"]
    assert matching(context.root, "none") == []


def test_a_broken_expression_is_refused(context: Context) -> None:
    with pytest.raises(InvalidArgument, match="invalid regular expression"):
        matching(context.root, "(")
