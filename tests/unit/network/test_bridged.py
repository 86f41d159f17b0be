"""Reserving and giving back; what the kernel is told is for the integration tests."""

import socket
from ipaddress import IPv4Interface

import pytest

from sampan import errors
from sampan.network.bridge import Bridge
from sampan.network.bridged import BridgeDriver
from sampan.network.drivers import Wishes
from sampan.network.values import Endpoint, PortBinding

FRESH = Endpoint("c", "n", "bridge", "0123456789abcdef")
LOCAL = "127.82.0.2"


class NoSocket:
    """Reserving asks nothing of the kernel's network."""


def driver() -> BridgeDriver:
    bridge = Bridge("smpn0", mtu=1500, sock=NoSocket())  # type: ignore[arg-type]
    return BridgeDriver(bridge, IPv4Interface("10.82.0.1/29"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])


def test_an_endpoint_gets_address_and_names_and_gives_its_address_back() -> None:
    own = driver()
    endpoint = own.reserve(FRESH, Wishes())
    assert (endpoint.ip_address, endpoint.prefix_length, endpoint.gateway) == ("10.82.0.2", 29, "10.82.0.1")
    assert endpoint.mac_address == "02:42:0a:52:00:02"
    assert endpoint.host_interface.endswith("01234567") and len(endpoint.host_interface) == 15
    assert own.reserve(FRESH, Wishes()).ip_address == "10.82.0.3"
    own.free(endpoint)
    assert own.reserve(FRESH, Wishes(mac="02-00-00-00-00-0A")).mac_address == "02:00:00:00:00:0a"


def test_of_several_ports_all_or_none_are_reserved() -> None:
    own, port = driver(), free_port()
    first = PortBinding(80, "tcp", LOCAL, port, port)
    with pytest.raises(errors.Internal) as refused:
        own.reserve(FRESH, Wishes([first, first], name="web"))
    said = "driver failed programming external connectivity on endpoint web (0123456789abcdef): "
    assert str(refused.value) == f"{said}Bind for {LOCAL}:{port} failed: port is already allocated"
    endpoint = own.reserve(FRESH, Wishes([first]))
    assert endpoint.ip_address == "10.82.0.2"
    assert endpoint.ports == {"80/tcp": [(LOCAL, port)]}
    own.free(endpoint)


def test_a_restored_endpoint_has_its_address_and_ports_again() -> None:
    port = free_port()
    before = driver()
    endpoint = before.reserve(FRESH, Wishes([PortBinding(80, "tcp", LOCAL, port, port)]))
    before.free(endpoint)
    after = driver()
    after.restore(endpoint)
    assert after.reserve(FRESH, Wishes()).ip_address == "10.82.0.3"
    with pytest.raises(errors.Internal, match="port is already allocated"):
        after.reserve(FRESH, Wishes([PortBinding(80, "tcp", LOCAL, port, port)]))
    after.free(endpoint)


def test_an_endpoint_of_an_older_subnet_is_kept() -> None:
    own = driver()
    endpoint = Endpoint("c", "n", "bridge", "e", "10.99.0.2", 24)
    own.restore(endpoint)
    own.free(endpoint)
    assert own.reserve(FRESH, Wishes()).ip_address == "10.82.0.2"
