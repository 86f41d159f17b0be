"""The values that the network package takes and gives.

A **network** is what containers are attached to, an **endpoint** one container's attachment, a **port binding** the
wish to publish one of its ports.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Protocol

from sampan import errors

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
ANY_ADDRESS = "0.0.0.0"

_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}")


class Netns(Protocol):
    """A container's network namespace: the namespace itself and a NETLINK_ROUTE socket that lives in it."""

    @property
    def ns_fd(self) -> int: ...

    @property
    def route_fd(self) -> int: ...


@dataclass(frozen=True, slots=True)
class PortBinding:
    """A container port to publish on a host port of `host_port_first`..`host_port_last`; 0..0 leaves it to us."""

    container_port: int
    protocol: str = "tcp"
    host_ip: str = ANY_ADDRESS
    host_port_first: int = 0
    host_port_last: int = 0

    @classmethod
    def parse(cls, port: str, *, host_ip: str, host_port: str) -> "PortBinding":
        """From the API's notation: port "80/tcp", host port "", "8080" or "8000-8010"."""
        number, _, protocol = port.partition("/")
        protocol = (protocol or "tcp").lower()
        if protocol not in PROTOCOLS:
            raise errors.InvalidArgument(f"invalid port specification: {port!r}")
        container_port = _number(number, port)
        if not container_port:
            raise errors.InvalidArgument(f"invalid port specification: {port!r}")
        first, _, last = (host_port or "0").partition("-")
        low = _number(first, host_port)
        high = _number(last, host_port) if last else low
        if high < low:
            raise errors.InvalidArgument(f"invalid port specification: {host_port!r}")
        return cls(container_port, protocol, host_ip or ANY_ADDRESS, low, high)


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A container port that is reachable on a host port."""

    container_port: int
    protocol: str
    host_ip: str
    host_port: int


@dataclass(frozen=True, slots=True)
class Network:
    """A network's record. Networks without addresses of their own (host, none) have no subnet."""

    id: str
    name: str
    driver: str
    created_ns: int
    subnet: str = ""
    gateway: str = ""
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's attachment to a network; addresses are empty on networks that give none."""

    container_id: str
    network_id: str
    network_name: str
    endpoint_id: str
    ip_address: str = ""
    prefix_length: int = 0
    gateway: str = ""
    mac_address: str = ""
    host_interface: str = ""
    published: tuple[PublishedPort, ...] = ()

    @property
    def interface(self) -> IPv4Interface:
        """The address with its prefix length; only on networks that give one."""
        return IPv4Interface(f"{self.ip_address}/{self.prefix_length}")

    @property
    def ports(self) -> dict[str, list[tuple[str, int]]]:
        """Host addresses and ports by container port ("80/tcp")."""
        found: dict[str, list[tuple[str, int]]] = {}
        for port in self.published:
            found.setdefault(f"{port.container_port}/{port.protocol}", []).append((port.host_ip, port.host_port))
        return found


def parse_mac(mac: str) -> str:
    """A hardware address in the kernel's notation."""
    if not _MAC.fullmatch(mac):
        raise errors.InvalidArgument(f"invalid MAC address: {mac}")
    return mac.lower().replace("-", ":")


def _number(digits: str, within: str) -> int:
    if not (digits.isascii() and digits.isdigit() and int(digits) <= 0xFFFF):
        raise errors.InvalidArgument(f"invalid port specification: {within!r}")
    return int(digits)
