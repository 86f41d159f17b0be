"""The driver of bridge networks: a bridge, its addresses, published ports and the firewall around them.

Order       `restore` for each endpoint that is to go on, then `open`: watch, bridge, table, other firewalls. The watch
            comes first, so that no change is missed. `close` also after a failed `open`.
Errors      OSError from what touches the kernel; `sampan.errors` from `reserve`.
"""

import logging
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface

from sampan import errors
from sampan.linux import netlink, nftables
from sampan.network import predefined
from sampan.network.bridge import Bridge, mac_address
from sampan.network.drivers import Wishes
from sampan.network.firewall import Firewall
from sampan.network.foreign import ForeignChains
from sampan.network.hostports import HostPorts
from sampan.network.ipam import Pool
from sampan.network.values import Endpoint, Netns, Network, PublishedPort, parse_mac
from sampan.network.watch import Watch

_log = logging.getLogger("sampan.network")


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """The default bridge's settings; without `bip`, its address is chosen."""

    interface: str
    bip: IPv4Interface | None = None
    mtu: int = 1500


def default_bridge(config: BridgeConfig, record: Network) -> "tuple[BridgeDriver, Network]":
    """The driver with its address decided, and the network's record with that address in it."""
    bridge = Bridge(config.interface, mtu=config.mtu, sock=netlink.Socket(netlink.NETLINK_ROUTE))
    try:
        gateway = config.bip or predefined.choose_gateway(
            record, present=bridge.addresses(), occupied=bridge.occupied()
        )
    except BaseException:
        bridge.close()
        raise
    options = predefined.bridge_options(config.interface, config.mtu)
    decided = replace(record, subnet=str(gateway.network), gateway=str(gateway.ip), options=options)
    return BridgeDriver(bridge, gateway), decided


class BridgeDriver:
    """Endpoints on one bridge; see `sampan.network.drivers.Driver`."""

    def __init__(self, bridge: Bridge, gateway: IPv4Interface) -> None:
        self._bridge = bridge
        self._gateway = gateway
        self._pool = Pool(gateway)
        self._host_ports = HostPorts()
        self._stack = ExitStack()
        self._stack.callback(self._bridge.close)
        self._stack.callback(self._host_ports.close)

    @property
    def is_quick(self) -> bool:
        return False

    def open(self, endpoints: list[Endpoint]) -> None:
        nft = netlink.Socket(netlink.NETLINK_NETFILTER)
        self._firewall = Firewall(self._bridge.name, self._gateway.network, nft)
        self._stack.callback(self._firewall.close)
        nft = netlink.Socket(netlink.NETLINK_NETFILTER)
        self._foreign = ForeignChains(self._bridge.name, self._firewall.table, nft)
        self._stack.callback(self._foreign.close)
        changes = netlink.Socket(netlink.NETLINK_NETFILTER, groups=[nftables.NFNLGRP_NFTABLES])
        self._watch = Watch(self._firewall, self._foreign, changes)
        self._stack.callback(self._watch.close)
        self._bridge.ensure(self._gateway)
        self._firewall.rebuild(endpoints)
        self._foreign.open_up()

    async def guard(self) -> None:
        await self._watch.run()

    def close(self) -> None:
        self._stack.close()

    def reserve(self, endpoint: Endpoint, wishes: Wishes) -> Endpoint:
        mac = parse_mac(wishes.mac) if wishes.mac else ""
        address = self._pool.take()
        published: list[PublishedPort] = []
        try:
            for binding in wishes.ports:
                published.append(self._host_ports.claim(binding, str(address)))
        except errors.Error as error:
            self._give_back(address, published)
            endpoint_text = f"{wishes.name} ({endpoint.endpoint_id})"
            message = f"driver failed programming external connectivity on endpoint {endpoint_text}: {error}"
            raise type(error)(message) from error
        return replace(
            endpoint,
            ip_address=str(address),
            prefix_length=self._gateway.network.prefixlen,
            gateway=str(self._gateway.ip),
            mac_address=mac or mac_address(address).hex(":"),
            host_interface=self._bridge.interface_name(endpoint.endpoint_id),
            published=tuple(published),
        )

    def restore(self, endpoint: Endpoint) -> None:
        address = IPv4Address(endpoint.ip_address)
        try:
            self._pool.claim(address)
        except errors.InvalidArgument:
            _log.warning("container %s keeps %s, outside of %s", endpoint.container_id, address, self._pool.subnet)
        for port in endpoint.published:
            if not self._host_ports.restore(port):
                where = f"{port.host_ip}:{port.host_port}/{port.protocol}"
                _log.warning("host port %s of container %s has been taken", where, endpoint.container_id)

    def connect(self, endpoint: Endpoint, netns: Netns | None) -> None:
        if netns is None:
            raise ValueError("a bridge network needs a network namespace")
        self._bridge.attach(endpoint, netns)
        if endpoint.published:
            self._firewall.publish(endpoint)

    def disconnect(self, endpoint: Endpoint, *, namespace_stays: bool) -> None:
        if endpoint.published:
            self._firewall.withdraw(endpoint)
        if namespace_stays:
            self._bridge.remove(endpoint)
        else:
            self._bridge.silence(endpoint)

    def free(self, endpoint: Endpoint) -> None:
        self._give_back(IPv4Address(endpoint.ip_address), endpoint.published)

    def sweep(self, endpoints: list[Endpoint]) -> None:
        self._bridge.sweep(endpoints)
        self._firewall.rebuild(endpoints)

    def teardown(self) -> None:
        self._foreign.withdraw()
        self._firewall.delete()
        self._bridge.delete()

    def _give_back(self, address: IPv4Address, published: Iterable[PublishedPort]) -> None:
        for port in published:
            self._host_ports.release(port)
        self._pool.release(address)
