"""What a network driver does for an endpoint, and the two drivers that do next to nothing.

An endpoint's life: `reserve` (memory), `connect` (kernel), then `disconnect` (kernel), `free` (memory). At start
`restore` stands for the first two.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sampan.linux import netlink, rtnetlink
from sampan.network.values import Endpoint, Netns, PortBinding


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a container asks of its endpoint; `name` is the container's, for messages."""

    ports: Sequence[PortBinding] = ()
    mac: str | None = None
    name: str = ""


class Driver(Protocol):
    """One network's driver. `reserve`, `restore` and `free` are called in the event loop, the others in threads.

    `is_quick`: `connect` and `disconnect` take microseconds, so a thread would cost more than it saves.
    """

    @property
    def is_quick(self) -> bool: ...

    def reserve(self, endpoint: Endpoint, wishes: Wishes) -> Endpoint:
        """Complete a fresh endpoint with addresses and host ports, all of them or none; raises `sampan.errors`."""

    def restore(self, endpoint: Endpoint) -> None:
        """Reserve again what the endpoint has."""

    def connect(self, endpoint: Endpoint, netns: Netns | None) -> None:
        """Set up namespace and host; OSError leaves remains for `disconnect`."""

    def disconnect(self, endpoint: Endpoint, *, namespace_stays: bool) -> None:
        """Cut the endpoint off; harmless when it is not connected. A namespace that stays is cleaned, too."""

    def free(self, endpoint: Endpoint) -> None:
        """Give back what was reserved."""


class DefaultBridge(Driver, Protocol):
    """The driver of the network "bridge", which has a life of its own. `sweep` and `teardown` are called in threads."""

    def open(self, endpoints: list[Endpoint]) -> None:
        """Make bridge and firewall, with what the endpoints publish."""

    def close(self) -> None:
        """Give back what the daemon holds; the kernel keeps everything."""

    async def guard(self) -> None:
        """Repair what other programs damage, until cancelled."""

    def sweep(self, endpoints: list[Endpoint]) -> None:
        """Remove what belongs to none of the endpoints."""

    def teardown(self) -> None:
        """Remove everything from the kernel, for good."""


class LoopbackDriver:
    """The network "none": lo and nothing else."""

    is_quick = True

    def reserve(self, endpoint: Endpoint, wishes: Wishes) -> Endpoint:
        return endpoint

    def restore(self, endpoint: Endpoint) -> None:
        """Nothing was reserved."""

    def connect(self, endpoint: Endpoint, netns: Netns | None) -> None:
        if netns is not None:
            with netlink.Socket(netlink.NETLINK_ROUTE, fd=os.dup(netns.route_fd)) as inside:
                inside.request([rtnetlink.set_up(rtnetlink.LOOPBACK_INDEX)])

    def disconnect(self, endpoint: Endpoint, *, namespace_stays: bool) -> None:
        """The namespace takes everything with it."""

    def free(self, endpoint: Endpoint) -> None:
        """Nothing was reserved."""


class HostDriver(LoopbackDriver):
    """The network "host": the namespace of the host, as it is."""

    def connect(self, endpoint: Endpoint, netns: Netns | None) -> None:
        """Nothing to set up."""
