"""The bridge driver: a Linux bridge with the gateway's address, and a veth pair for each endpoint.

Layout      <bridge>                  up, gateway address, route_localnet, no IPv6
            smp<tag><endpoint id>     an endpoint's host end, a port of the bridge; the tag is that of the bridge, so
                                      that each daemon knows its own
            eth0                      the other end, in the container's network namespace; lo is set up there, too
Invariants  1. `attach` succeeds as a whole, or the pair is gone again.
            2. `silence` cuts an endpoint off at once. The pair dies with the network namespace: deleting it takes the
               kernel 25 ms, setting it down 0.1 ms. `sweep` removes what a namespace that lived on has left.
            3. A MAC address is made from the IP address: whoever gets an address that another container had before is
               reached in spite of old ARP entries. An address asked for by the user is announced to the host.
Threads     Methods are called from worker threads; one lock orders the messages of the host's socket.
Errors      OSError.
"""

import errno
import hashlib
import os
import threading
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface

from sampan.linux import netlink, rtnetlink
from sampan.network.values import Endpoint, Netns

CONTAINER_INTERFACE = "eth0"


class Bridge:
    """One bridge of the host; it owns the NETLINK_ROUTE socket that is given."""

    def __init__(self, name: str, *, mtu: int, sock: netlink.Socket) -> None:
        self.name = name
        self._mtu = mtu
        self._socket = sock
        self._lock = threading.Lock()
        self._index = 0
        self._prefix = "smp" + hashlib.sha256(name.encode()).hexdigest()[:4]
        self._has_ipv6 = os.path.exists("/proc/sys/net/ipv6")

    def close(self) -> None:
        """Close the socket; bridge and pairs stay."""
        self._socket.close()

    def addresses(self) -> list[IPv4Interface]:
        """The addresses that the bridge has now; none when it does not exist."""
        found = rtnetlink.find_link(self._socket, self.name)
        if found is None:
            return []
        return [_interface(each) for each in rtnetlink.list_addresses(self._socket) if each.index == found.index]

    def occupied(self) -> list[IPv4Interface]:
        """The networks that the host has addresses in, or routes to, by other ways than the bridge."""
        found = rtnetlink.find_link(self._socket, self.name)
        own = found.index if found else 0
        addresses = [_interface(each) for each in rtnetlink.list_addresses(self._socket) if each.index != own]
        routes = [route for route in rtnetlink.list_routes(self._socket) if route.prefix_length and route.index != own]
        return addresses + [IPv4Interface((route.destination, route.prefix_length)) for route in routes]

    def ensure(self, gateway: IPv4Interface) -> None:
        """Create the bridge, or complete the one that is there; its only address is the gateway's."""
        with self._lock:
            found = rtnetlink.find_link(self._socket, self.name)
            if found is None:
                mac = mac_address(gateway.ip)
                self._socket.request([rtnetlink.new_bridge(self.name, mac=mac, mtu=self._mtu)])
                found = rtnetlink.find_link(self._socket, self.name)
            if found is None or found.kind != "bridge":
                raise OSError(errno.EEXIST, f"interface {self.name} exists and is not a bridge")
            self._index = found.index
            changes = [] if found.is_up else [rtnetlink.set_up(found.index)]
            present = self.addresses()
            if gateway not in present:
                broadcast = gateway.network.broadcast_address.packed
                new = rtnetlink.new_address(found.index, gateway.packed, gateway.network.prefixlen, broadcast=broadcast)
                changes.append(new)
            for other in present:
                if other != gateway:
                    changes.append(rtnetlink.delete_address(found.index, other.packed, other.network.prefixlen))
            if changes:
                self._socket.request(changes)
        self._set_sysctls()

    def interface_name(self, endpoint_id: str) -> str:
        """The name of an endpoint's host end."""
        return self._prefix + endpoint_id[:8]

    def attach(self, endpoint: Endpoint, netns: Netns) -> None:
        """Connect a network namespace: eth0 with address and default route, lo, and the host end at the bridge."""
        mac = bytes.fromhex(endpoint.mac_address.replace(":", ""))
        self._create_pair(endpoint, mac, netns.ns_fd)
        try:
            with netlink.Socket(netlink.NETLINK_ROUTE, fd=os.dup(netns.route_fd)) as inside:
                self._configure(endpoint, inside)
        except BaseException:
            self.remove(endpoint)
            raise

    def silence(self, endpoint: Endpoint) -> None:
        """Cut an endpoint off; harmless when it has gone."""
        self._request_unless_gone(rtnetlink.set_down(endpoint.host_interface))

    def remove(self, endpoint: Endpoint) -> None:
        """Delete an endpoint's pair, for a namespace that lives on; harmless when it has gone."""
        self._request_unless_gone(rtnetlink.delete_link(endpoint.host_interface))

    def sweep(self, endpoints: Iterable[Endpoint]) -> None:
        """Delete our pairs that belong to none of the endpoints; connect those that do to the bridge again."""
        wanted = {endpoint.host_interface for endpoint in endpoints}
        with self._lock:
            links = [link for link in rtnetlink.list_links(self._socket) if link.name.startswith(self._prefix)]
        for link in links:
            if link.name not in wanted:
                self._request_unless_gone(rtnetlink.delete_link(link.name))
            elif link.master != self._index:
                self._request_unless_gone(rtnetlink.set_master(link.name, self._index))

    def delete(self) -> None:
        """Remove the bridge and all pairs."""
        self.sweep(())
        self._request_unless_gone(rtnetlink.delete_link(self.name))

    def _create_pair(self, endpoint: Endpoint, mac: bytes, netns_fd: int) -> None:
        name, address = endpoint.host_interface, IPv4Address(endpoint.ip_address).packed
        messages = [
            rtnetlink.new_veth(
                name,
                master=self._index,
                mtu=self._mtu,
                peer=CONTAINER_INTERFACE,
                peer_mac=mac,
                peer_netns_fd=netns_fd,
            ),
            rtnetlink.replace_neighbour(self._index, address, mac),
        ]
        if endpoint.published:
            # With br_netfilter a container's packet to its own published port is translated inside the bridge.
            messages.append(rtnetlink.set_hairpin(name))
        with self._lock:
            try:
                self._socket.request(messages)
            except OSError as error:
                if error.errno != errno.EEXIST:
                    self._delete_quietly(name)
                raise

    def _configure(self, endpoint: Endpoint, inside: netlink.Socket) -> None:
        found = inside.request([rtnetlink.get_link(CONTAINER_INTERFACE), rtnetlink.set_up(rtnetlink.LOOPBACK_INDEX)])
        index = rtnetlink.link(found).index
        interface = endpoint.interface
        broadcast = interface.network.broadcast_address.packed
        messages = [
            rtnetlink.new_address(index, interface.packed, endpoint.prefix_length, broadcast=broadcast),
            rtnetlink.set_up(index),
            rtnetlink.new_default_route(IPv4Address(endpoint.gateway).packed),
        ]
        if self._has_ipv6:
            messages.insert(0, rtnetlink.set_no_ipv6_address(index))
        inside.request(messages)

    def _set_sysctls(self) -> None:
        _write_sysctl("net/ipv4/ip_forward", "1")
        _write_sysctl(f"net/ipv4/conf/{self.name}/route_localnet", "1")
        if self._has_ipv6:
            # No container may tell the host routes by router advertisements (CVE-2020-13401).
            _write_sysctl(f"net/ipv6/conf/{self.name}/disable_ipv6", "1")

    def _request_unless_gone(self, message: netlink.Message) -> None:
        with self._lock:
            try:
                self._socket.request([message])
            except OSError as error:
                if error.errno != errno.ENODEV:
                    raise

    def _delete_quietly(self, name: str) -> None:
        try:
            self._socket.request([rtnetlink.delete_link(name)])
        except OSError:
            return  # the first error is the one to report; `sweep` comes by again


def mac_address(address: IPv4Address) -> bytes:
    """The hardware address that goes with an IP address."""
    return b"\x02\x42" + address.packed


def _interface(address: rtnetlink.Address) -> IPv4Interface:
    return IPv4Interface((address.address, address.prefix_length))


def _write_sysctl(name: str, value: str) -> None:
    path = f"/proc/sys/{name}"
    with open(path) as file:
        if file.read().strip() == value:
            return
    with open(path, "w") as file:
        file.write(value)
