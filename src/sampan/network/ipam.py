"""Addresses: which subnet a network gets, and which address in it an endpoint gets.

A `Pool` is the memory of one subnet; what is taken survives a restart as the endpoints' records, from which the pool
is filled again. The lowest free address is given first, as Docker does.

Invariants  1. No address is given twice; network, gateway and broadcast address are never given.
            2. An elected subnet overlaps no route of the host, so a VPN or a company network stays reachable.
Errors      ResourceExhausted when a pool is full or every default subnet is in use; Conflict for a taken address.
"""

import heapq
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from sampan import errors

# Docker's default pools with the sizes of the subnets cut from them.
_DEFAULT_POOLS = tuple(
    (IPv4Network(base), size)
    for base, size in (
        ("172.17.0.0/16", 16),
        ("172.18.0.0/16", 16),
        ("172.19.0.0/16", 16),
        ("172.20.0.0/14", 16),
        ("172.24.0.0/14", 16),
        ("172.28.0.0/14", 16),
        ("192.168.0.0/16", 20),
    )
)


def default_subnets() -> Iterator[IPv4Network]:
    """The subnets that networks are given by default, in order of preference."""
    for pool, size in _DEFAULT_POOLS:
        yield from pool.subnets(new_prefix=size)


def elect_subnet(occupied: Iterable[IPv4Network]) -> IPv4Network:
    """The first default subnet that overlaps none of `occupied`."""
    taken = list(occupied)
    for subnet in default_subnets():
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise errors.ResourceExhausted("all predefined address pools have been fully subnetted")


class Pool:
    """The addresses of one subnet, but for those of the network itself and its gateway."""

    def __init__(self, gateway: IPv4Interface) -> None:
        self.subnet = gateway.network
        self._first = int(self.subnet.network_address) + 1
        self._last = int(self.subnet.broadcast_address) - 1
        self._taken = {int(gateway.ip)}
        # Every address below `_fresh` is taken or waits in the heap `_returned`.
        self._fresh = self._first
        self._returned: list[int] = []

    def take(self) -> IPv4Address:
        """The lowest free address."""
        while self._returned:
            address = heapq.heappop(self._returned)
            if address not in self._taken:
                self._taken.add(address)
                return IPv4Address(address)
        while self._fresh in self._taken:
            self._fresh += 1
        if self._fresh > self._last:
            raise errors.ResourceExhausted(
                f"no available IPv4 addresses on this network's address pools: {self.subnet}"
            )
        self._taken.add(self._fresh)
        self._fresh += 1
        return IPv4Address(self._fresh - 1)

    def claim(self, address: IPv4Address) -> None:
        """Take this very address."""
        number = int(address)
        if address not in self.subnet or not self._first <= number <= self._last:
            raise errors.InvalidArgument(f"address {address} is not one for endpoints of {self.subnet}")
        if number in self._taken:
            raise errors.Conflict("Address already in use")
        self._taken.add(number)

    def release(self, address: IPv4Address) -> None:
        """Give an address back; doing so twice is harmless."""
        number = int(address)
        if number in self._taken:
            self._taken.remove(number)
            if number < self._fresh:
                heapq.heappush(self._returned, number)
