"""From method and path to a handler: routes are data, found by their first segment.

A pattern's `{ref}` matches one segment, `{ref*}` any number of them (names of images contain slashes).
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from aiohttp.web_response import StreamResponse

from sampan import errors
from sampan.api.server.call import Call

OLDEST, NEWEST = 24, 51
"""Minor numbers of the API versions served: 1.24 to 1.51."""

Handler = Callable[[Call], Awaitable[StreamResponse]]

_VERSIONED = re.compile(r"/v(\d+)\.(\d+)(?=/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`since` is the first API version (minor number) that has it; `ends_with_client` calls are cancelled with it."""

    method: str
    pattern: str
    handler: Handler
    since: int = OLDEST
    ends_with_client: bool = False


Found = tuple[Route, Mapping[str, str]]
_NO_PARAMETERS: Mapping[str, str] = {}


class Router:
    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, str], Route] = {}
        self._patterns: dict[tuple[str, str], list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            if "{" in route.pattern:
                key = (route.method, _first_segment(route.pattern))
                self._patterns.setdefault(key, []).append((_compile(route.pattern), route))
            else:
                self._exact[route.method, route.pattern] = route

    def find(self, method: str, path: str, *, api: int) -> Found:
        """The route and the path's parameters; NotFound in Docker's words."""
        route = self._exact.get((method, path))
        if route is not None:
            if api >= route.since:
                return route, _NO_PARAMETERS
        else:
            for pattern, candidate in self._patterns.get((method, _first_segment(path)), _NO_PATTERNS):
                match = pattern.fullmatch(path)
                if match and api >= candidate.since:
                    return candidate, {name: unquote(value) for name, value in match.groupdict().items()}
        raise errors.NotFound("page not found")


_NO_PATTERNS: Sequence[tuple[re.Pattern[str], Route]] = ()


def split_version(path: str) -> tuple[int, str]:
    """The API version asked for (its minor number; the newest when none is named), and the path behind it."""
    match = _VERSIONED.match(path)
    if match is None:
        return NEWEST, path
    major, minor = int(match[1]), int(match[2])
    if (major, minor) > (1, NEWEST):
        raise errors.InvalidArgument(
            f"client version {major}.{minor} is too new. Maximum supported API version is 1.{NEWEST}"
        )
    if (major, minor) < (1, OLDEST):
        raise errors.InvalidArgument(
            f"client version {major}.{minor} is too old. Minimum supported API version is 1.{OLDEST}, "
            "please upgrade your client to a newer version"
        )
    return minor, path[match.end() :]


def _first_segment(path: str) -> str:
    return path[1 : path.find("/", 1)] if "/" in path[1:] else path[1:]


def _compile(pattern: str) -> re.Pattern[str]:
    escaped = re.escape(pattern).replace(r"\{ref\*\}", "(?P<ref>.+)")
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", escaped))
