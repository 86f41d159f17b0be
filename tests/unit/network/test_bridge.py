"""The messages of the bridge driver; that they have their effect is for the integration tests."""

import errno
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from sampan.linux import rtnetlink
from sampan.linux.netlink import Message
from sampan.network.bridge import Bridge, mac_address
from sampan.network.values import Endpoint, PublishedPort

ENDPOINT = Endpoint(
    "c", "n", "bridge", "e", "10.82.0.2", 24, "10.82.0.1", "02:42:0a:52:00:02", host_interface="smp0000e"
)


class Namespace:
    ns_fd = route_fd = 99


class FakeSocket:
    """Refuses everything, after writing it down."""

    def __init__(self, code: int) -> None:
        self._code = code
        self.requests: list[list[int]] = []

    def request(self, messages: list[Message]) -> list[Message]:
        self.requests.append([message.kind for message in messages])
        raise OSError(self._code, "refused")


def bridge(code: int) -> tuple[Bridge, FakeSocket]:
    sock = FakeSocket(code)
    return Bridge("smpn0", mtu=1500, sock=sock), sock  # type: ignore[arg-type]


def test_a_hardware_address_is_made_of_the_ip_address() -> None:
    assert mac_address(IPv4Address("172.17.0.2")).hex(":") == "02:42:ac:11:00:02"


def test_the_names_of_two_bridges_ports_differ() -> None:
    one, _ = bridge(0)
    other = Bridge("smpn1", mtu=1500, sock=FakeSocket(0))  # type: ignore[arg-type]
    names = one.interface_name("0123456789"), other.interface_name("0123456789")
    assert names[0] != names[1]
    assert all(len(name) <= 15 for name in names)


def test_the_host_side_is_one_request_and_a_refused_one_is_cleaned_up() -> None:
    own, sock = bridge(errno.EINVAL)
    published = replace(ENDPOINT, published=(PublishedPort(80, "tcp", "0.0.0.0", 8080),))
    with pytest.raises(OSError, match="refused"):
        own.attach(published, Namespace())
    pair = [rtnetlink.RTM_NEWLINK, rtnetlink.RTM_NEWNEIGH, rtnetlink.RTM_NEWLINK]
    assert sock.requests == [pair, [rtnetlink.RTM_DELLINK]]


def test_a_pair_that_is_another_endpoints_is_not_deleted() -> None:
    own, sock = bridge(errno.EEXIST)
    with pytest.raises(FileExistsError):
        own.attach(ENDPOINT, Namespace())
    assert sock.requests == [[rtnetlink.RTM_NEWLINK, rtnetlink.RTM_NEWNEIGH]]


def test_an_endpoint_that_has_gone_is_silenced_and_removed_without_complaint() -> None:
    own, sock = bridge(errno.ENODEV)
    own.silence(ENDPOINT)
    own.remove(ENDPOINT)
    assert sock.requests == [[rtnetlink.RTM_SETLINK], [rtnetlink.RTM_DELLINK]]
    other, _ = bridge(errno.EPERM)
    with pytest.raises(PermissionError):
        other.silence(ENDPOINT)
