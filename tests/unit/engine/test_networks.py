"""Networks as the API shows them, out of plain lists of networks, endpoints and containers."""

from typing import Any

import msgspec
import pytest

from sampan import errors
from sampan.engine.networks import Networks, inspect_network, list_networks
from sampan.network.values import Endpoint, Network

CREATED_NS = 1_700_000_000_000_000_000
BRIDGE = Network(
    "ab" * 32, "bridge", "bridge", CREATED_NS, "10.81.0.0/24", "10.81.0.1", {"com.docker.network.bridge.name": "b0"}
)
HOST = Network("ac" * 32, "host", "host", CREATED_NS)
NONE = Network("dd" * 32, "none", "null", CREATED_NS)


class Container:
    def __init__(self, id: str, name: str) -> None:
        self.id = id
        self.name = name


class FakeStore:
    """What there is, as lists."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self._endpoints = endpoints

    def networks(self) -> list[Network]:
        return [BRIDGE, HOST, NONE]

    def endpoints(self) -> list[Endpoint]:
        return list(self._endpoints)


class FakeRegistry:
    """Containers by their ids."""

    def __init__(self, *containers: Container) -> None:
        self._containers = {container.id: container for container in containers}

    def find(self, ref: str) -> Container | None:
        return self._containers.get(ref)


def world(*endpoints: Endpoint, containers: tuple[Container, ...] = ()) -> Networks:
    store: Any = FakeStore(*endpoints)
    registry: Any = FakeRegistry(*containers)
    return Networks(store, registry)


def endpoint(container_id: str, network: Network = BRIDGE, **changes: Any) -> Endpoint:
    addresses = {"ip_address": "10.81.0.2", "prefix_length": 24, "mac_address": "02:42:0a:51:00:02", **changes}
    return Endpoint(container_id, network.id, network.name, "e1", **addresses)


def names(filters: dict[str, list[str]]) -> list[str]:
    return [network.name for network in list_networks(world(), filters)]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["bridge", "host", "none"]),
        ({"name": []}, ["bridge", "host", "none"]),
        ({"name": ["o"]}, ["host", "none"]),
        ({"name": ["bridge", "none"]}, ["bridge", "none"]),
        ({"id": ["ab"]}, ["bridge"]),
        ({"id": ["a"]}, ["bridge", "host"]),
        ({"driver": ["null"]}, ["none"]),
        ({"driver": ["nul"]}, []),
        ({"scope": ["local"]}, ["bridge", "host", "none"]),
        ({"scope": ["swarm"]}, []),
        ({"label": ["a=b"]}, []),
        ({"type": ["builtin"]}, ["bridge", "host", "none"]),
        ({"type": ["custom"]}, []),
        ({"dangling": ["true"]}, []),
        ({"dangling": ["0"]}, ["bridge", "host", "none"]),
        ({"name": ["bridge"], "driver": ["host"]}, []),
    ],
)
def test_filters_accept_any_of_their_values_and_all_must_accept(
    filters: dict[str, list[str]], expected: list[str]
) -> None:
    assert names(filters) == expected


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ({"type": ["odd"]}, "invalid filter: 'type'='odd'"),
        ({"dangling": ["maybe"]}, r"invalid filter 'dangling=\[maybe\]'"),
    ],
)
def test_a_filter_value_that_makes_no_sense_is_told_in_dockers_words(filters: dict[str, list[str]], text: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=text):
        names(filters)


@pytest.mark.parametrize("ref", ["bridge", BRIDGE.id, "ab", BRIDGE.id[:12]])
def test_a_network_is_found_by_name_id_or_the_beginning_of_its_id(ref: str) -> None:
    assert inspect_network(world(), ref).name == "bridge"


def test_an_ambiguous_or_unknown_reference_is_told_in_dockers_words() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"network a is ambiguous \(2 matches found on ID prefix\)"):
        inspect_network(world(), "a")
    for ref in ("nosuch", "bri", ""):
        with pytest.raises(errors.NotFound, match=f"^network {ref} not found$"):
            inspect_network(world(), ref)


def test_an_inspected_network_names_its_running_containers() -> None:
    containers = (Container("c1", "web"), Container("c2", "other"))
    deps = world(endpoint("c1"), endpoint("c2", HOST), endpoint("gone"), containers=containers)
    found = msgspec.to_builtins(inspect_network(deps, "bridge"))
    assert found["Containers"] == {
        "c1": {
            "Name": "web",
            "EndpointID": "e1",
            "MacAddress": "02:42:0a:51:00:02",
            "IPv4Address": "10.81.0.2/24",
            "IPv6Address": "",
        }
    }
    assert found["IPAM"]["Config"] == [{"Subnet": "10.81.0.0/24", "Gateway": "10.81.0.1"}]
    assert found["Options"] == BRIDGE.options and found["Created"] == "2023-11-14T22:13:20Z"


def test_the_list_does_not_name_containers() -> None:
    deps = world(endpoint("c1"), containers=(Container("c1", "web"),))
    assert all(network.containers == {} for network in list_networks(deps, {}))


def test_a_network_without_addresses_has_no_pool_and_its_endpoints_no_address() -> None:
    deps = world(endpoint("c1", HOST, ip_address="", prefix_length=0), containers=(Container("c1", "web"),))
    found = msgspec.to_builtins(inspect_network(deps, "host"))
    assert found["IPAM"]["Config"] is None
    assert found["Containers"]["c1"]["IPv4Address"] == ""
