"""Paths find their routes, and versions their limits."""

import re
from collections import Counter

import pytest
from aiohttp.web_response import StreamResponse

from sampan import errors
from sampan.api.server import absent, containers, execs, images, networks, system
from sampan.api.server.call import Call
from sampan.api.server.hijack import HIJACKABLE
from sampan.api.server.routing import NEWEST, Route, Router, split_version
from sampan.api.server.upgrade import connect

ALL = (*system.ROUTES, *containers.ROUTES, *execs.ROUTES, *images.ROUTES, *networks.ROUTES, *absent.ROUTES)


async def nothing(call: Call) -> StreamResponse:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1.24/info", (24, "/info")),
        ("/v1.51/info", (51, "/info")),
        ("/info", (NEWEST, "/info")),
        ("/v1.51", (NEWEST, "/v1.51")),
        ("/v1/info", (NEWEST, "/v1/info")),
        ("/v1.40/v1.41/info", (40, "/v1.41/info")),
    ],
)
def test_the_version_is_the_first_segment(path: str, found: tuple[int, str]) -> None:
    assert split_version(path) == found


def test_parameters_match_one_segment_or_several() -> None:
    router = Router(
        [
            Route(method="GET", pattern="/a/{ref}/json", handler=nothing),
            Route(method="GET", pattern="/b/{ref*}/json", handler=nothing),
        ]
    )
    assert router.find("GET", "/a/x%2Fy/json", api=51)[1] == {"ref": "x/y"}
    assert router.find("GET", "/b/host:5/x/y:1/json", api=51)[1] == {"ref": "host:5/x/y:1"}
    with pytest.raises(errors.NotFound, match="page not found"):
        router.find("GET", "/a/x/y/json", api=51)
    with pytest.raises(errors.NotFound):
        router.find("POST", "/a/x/json", api=51)


def test_an_endpoint_begins_with_its_version() -> None:
    router = Router([Route(method="GET", pattern="/new", handler=nothing, since=40)])
    assert router.find("GET", "/new", api=40)
    with pytest.raises(errors.NotFound):
        router.find("GET", "/new", api=39)


def test_no_two_routes_are_the_same() -> None:
    assert [key for key, count in Counter((route.method, route.pattern) for route in ALL).items() if count > 1] == []


def test_every_operation_of_the_engine_api_has_a_route() -> None:
    beyond_the_specification = {
        ("GET", "/containers/{ref}/checkpoints"),
        ("POST", "/containers/{ref}/checkpoints"),
        ("POST", "/build/cancel"),
        ("POST", "/grpc"),
    }
    assert len({(route.method, route.pattern) for route in ALL} - beyond_the_specification) == 107


def test_the_connections_gate_knows_every_route_that_hijacks() -> None:
    hijacking = [
        route.pattern
        for route in ALL
        if connect.__name__ in getattr(route.handler, "__code__").co_names  # noqa: B009
    ]
    assert len(hijacking) == 2
    for pattern in hijacking:
        path = pattern.replace("{ref}", "x")
        assert HIJACKABLE.match(f"POST /v1.51{path}?a=b HTTP/1.1".encode())
        assert HIJACKABLE.match(f"POST {path} HTTP/1.1".encode())
    assert not re.match(HIJACKABLE, b"POST /containers/x/start HTTP/1.1")
