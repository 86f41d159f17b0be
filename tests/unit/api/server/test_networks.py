"""The network endpoints over HTTP, with two networks behind them."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from fakes.api_backend import FakeBackend
from sampan import errors
from sampan.api.wire.network import NetworkInspect
from support.api_serving import Client, serve


class FakeNetworks:
    """Two networks; notes the filters it was given."""

    def __init__(self) -> None:
        self.filters: Mapping[str, Any] = {}

    async def list_(self, *, filters: Mapping[str, Any]) -> list[NetworkInspect]:
        self.filters = filters
        return [NetworkInspect(name="bridge", id="b1"), NetworkInspect(name="host", id="h1")]

    async def inspect(self, ref: str) -> NetworkInspect:
        if ref != "bridge":
            raise errors.NotFound(f"network {ref} not found")
        return NetworkInspect(name="bridge", id="b1")


def ask(target: str) -> tuple[int, Any, FakeNetworks]:
    found: list[tuple[int, Any]] = []
    networks = FakeNetworks()

    async def body(client: Client, backend: FakeBackend) -> None:
        backend.networks = networks  # type: ignore[attr-defined]
        answered = await client.ask("GET", target)
        found.append((answered.status, json.loads(answered.body)))

    serve(body)
    return (*found[0], networks)


def test_all_networks_are_listed() -> None:
    status, networks, fake = ask("/v1.51/networks")
    assert status == 200 and [network["Name"] for network in networks] == ["bridge", "host"]
    assert not fake.filters


def test_filters_reach_the_engine() -> None:
    wanted = quote(json.dumps({"driver": ["bridge"], "name": {"a": True, "b": True}}))
    status, _, fake = ask(f"/networks?filters={wanted}")
    assert status == 200
    assert {name: sorted(values) for name, values in fake.filters.items()} == {"driver": ["bridge"], "name": ["a", "b"]}


def test_an_unknown_filter_is_refused() -> None:
    status, found, _ = ask(f"/networks?filters={quote(json.dumps({'colour': ['red']}))}")
    assert status == 400 and "invalid filter 'colour'" in found["message"]


def test_one_network_is_inspected() -> None:
    status, found, _ = ask("/networks/bridge")
    assert status == 200 and found["Id"] == "b1" and found["Containers"] == {}


@pytest.mark.parametrize("ref", ["nosuch", "bridge2"])
def test_an_unknown_network_is_not_found(ref: str) -> None:
    status, found, _ = ask(f"/networks/{ref}")
    assert (status, found) == (404, {"message": f"network {ref} not found"})
