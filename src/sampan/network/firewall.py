"""The firewall: one nftables table per daemon, which publishes ports and lets containers reach the outside.

Layout      table ip sampan-<bridge>
              map published_any    protocol . port            : address . port    host port of every local address
              map published_at     protocol . address . port  : address . port    host port of one address
              chain guard          prerouting, raw      nothing from the bridge speaks to 127.0.0.0/8
              chain incoming       prerouting, dstnat   packets from elsewhere to a local address: to `publish`
              chain outgoing       output, dstnat       the host's own packets to a local address: to `publish`
              chain publish        the two maps, the closer one first
              chain forward        forward, filter      from outside only answers and published ports come in
              chain leaving        postrouting, srcnat  masquerade: to the outside, and back into the bridge
Invariants  1. Every change is one batch. The whole table is replaced in one, too: no packet meets half of it.
            2. `_elements` is what the maps should hold. When the table has gone, it is built again from that.
            3. 127.0.0.1 is published to the host itself only: `incoming` leaves 127.0.0.0/8 alone.
Why         Packets that come from the bridge and return to it after DNAT (a container that uses a published port of its
            neighbour, or its own) are masqueraded: else the answer would take the short way and not be recognised.
            Packets from 127.0.0.1 are masqueraded since no container could answer them; `route_localnet` of the bridge
            lets them out, and `guard` makes up for it (CVE-2020-8558).
Threads     Methods are called from worker threads; one lock orders the batches.
Errors      OSError.
"""

import errno
import sys
import threading
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from sampan.linux import conntrack, netlink, nfexpr, nftables
from sampan.linux.nfexpr import NFT_CMP_EQ, NFT_CMP_NEQ
from sampan.network.values import ANY_ADDRESS, PROTOCOLS, Endpoint

PUBLISHED_ANY = "published_any"
PUBLISHED_AT = "published_at"

_TARGET = (nftables.IPV4_ADDR, nftables.INET_SERVICE)
_RAW, _DSTNAT, _FILTER, _SRCNAT = -300, -100, 0, 100


class Firewall:
    """The table of one bridge; it owns the socket that is given."""

    def __init__(self, bridge: str, subnet: IPv4Network, sock: netlink.Socket) -> None:
        self.table = table_name(bridge)
        self._bridge = bridge
        self._subnet = subnet
        self._socket = sock
        self._lock = threading.Lock()
        self._elements: dict[str, dict[bytes, bytes]] = {PUBLISHED_ANY: {}, PUBLISHED_AT: {}}

    @property
    def port(self) -> int:
        """The netlink port id that our changes are notified with."""
        return self._socket.port

    def close(self) -> None:
        """Close the socket; the table stays."""
        self._socket.close()

    def rebuild(self, endpoints: Iterable[Endpoint] | None = None) -> None:
        """Replace the table; it publishes the ports of `endpoints`, or those it published before."""
        with self._lock:
            if endpoints is not None:
                for name in self._elements:
                    self._elements[name] = {}
                for endpoint in endpoints:
                    self._note(endpoint)
            self._replace()

    def publish(self, endpoint: Endpoint) -> None:
        """Let the host ports of the endpoint lead to it."""
        with self._lock:
            self._note(endpoint)
            batch = nftables.Batch()
            for name, elements in _elements(endpoint).items():
                batch.add_elements(self.table, name, elements.items())
            self._commit(batch)
            self._forget_flows([port.host_port for port in endpoint.published if port.protocol == "udp"])

    def withdraw(self, endpoint: Endpoint) -> None:
        """The opposite of `publish`; harmless when it was not."""
        with self._lock:
            batch = nftables.Batch()
            for name, elements in _elements(endpoint).items():
                known = [key for key in elements if self._elements[name].pop(key, None)]
                batch.delete_elements(self.table, name, known)
            self._commit(batch)

    def delete(self) -> None:
        """Remove the table for good."""
        with self._lock:
            batch = nftables.Batch()
            batch.add_table(self.table)
            batch.delete_table(self.table)
            batch.commit(self._socket)

    def _forget_flows(self, ports: list[int]) -> None:
        """Clients that sent to these UDP ports before they led here, or when they led to another container."""
        if ports:
            try:
                conntrack.forget_udp(self._socket, ports)
            except OSError as error:
                if error.errno != errno.EINVAL:  # a kernel without ctnetlink: such clients have to pause
                    raise

    def _commit(self, batch: nftables.Batch) -> None:
        try:
            batch.commit(self._socket)
        except OSError as error:
            # Somebody flushed or edited the rules; the table as it should be contains this change already.
            if error.errno not in (errno.ENOENT, errno.EEXIST):
                raise
            self._replace()

    def _note(self, endpoint: Endpoint) -> None:
        for name, elements in _elements(endpoint).items():
            self._elements[name].update(elements)

    def _replace(self) -> None:
        batch = nftables.Batch()
        batch.add_table(self.table)  # so that there is one to delete
        batch.delete_table(self.table)
        batch.add_table(self.table)
        add_rules(batch, self.table, bridge=self._bridge, subnet=self._subnet)
        for name, elements in self._elements.items():
            batch.add_elements(self.table, name, elements.items())
        batch.commit(self._socket)


def table_name(bridge: str) -> str:
    """One table for each default bridge: daemons with different bridges do not meet."""
    return f"sampan-{bridge}"


def add_rules(batch: nftables.Batch, table: str, *, bridge: str, subnet: IPv4Network) -> None:
    """Everything in the table but the published ports."""
    batch.add_map(table, PUBLISHED_ANY, key=(nftables.INET_PROTO, nftables.INET_SERVICE), value=_TARGET)
    key = (nftables.INET_PROTO, nftables.IPV4_ADDR, nftables.INET_SERVICE)
    batch.add_map(table, PUBLISHED_AT, key=key, value=_TARGET)
    batch.add_chain(table, "publish")
    for name, kind, hook, priority in _BASE_CHAINS:
        batch.add_base_chain(table, name, kind=kind, hook=hook, priority=priority)
    to_publish = nfexpr.verdict(nfexpr.NFT_JUMP, chain="publish")
    batch.add_rule(table, "guard", _from(bridge), _LOOPBACK_DESTINATION, nfexpr.counter(), _DROP)
    batch.add_rule(table, "incoming", _NO_LOOPBACK_DESTINATION, _LOCAL_DESTINATION, to_publish)
    batch.add_rule(table, "outgoing", _LOCAL_DESTINATION, to_publish)
    for name, address in ((PUBLISHED_AT, True), (PUBLISHED_ANY, False)):
        batch.add_rule(table, "publish", *_translate(name, with_address=address))
    batch.add_rule(table, "forward", *_uninvited(bridge))
    for expressions in _masquerades(bridge, subnet):
        batch.add_rule(table, "leaving", *expressions, nfexpr.counter(), nfexpr.masquerade())


def _translate(map_name: str, *, with_address: bool) -> list[bytes]:
    """Send the packet where the map says; the key is protocol . [address .] port from register 0 on."""
    port = 2 if with_address else 1
    rule = [nfexpr.meta(nfexpr.NFT_META_L4PROTO, into=0)]
    if with_address:
        rule.append(nfexpr.payload(nfexpr.NFT_PAYLOAD_NETWORK_HEADER, 16, 4, into=1))
    rule.append(nfexpr.payload(nfexpr.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, into=port))
    return [*rule, nfexpr.lookup(map_name, key=0, into=8), nfexpr.dnat(address=8, port=9)]


def _uninvited(bridge: str) -> list[bytes]:
    """Drop what enters the bridge from elsewhere and neither answers a container nor was sent to a published port."""
    state, status = ((nfexpr.CT_STATE_ESTABLISHED | nfexpr.CT_STATE_RELATED), nfexpr.CT_STATUS_DNAT)
    return [
        _to(bridge),
        _from(bridge, NFT_CMP_NEQ),
        nfexpr.ct(nfexpr.NFT_CT_STATE) + _no_bit_of(state),
        nfexpr.ct(nfexpr.NFT_CT_STATUS) + _no_bit_of(status),
        nfexpr.counter(),
        _DROP,
    ]


def _masquerades(bridge: str, subnet: IPv4Network) -> list[list[bytes]]:
    from_subnet = _source(subnet)
    translated = nfexpr.ct(nfexpr.NFT_CT_STATUS) + _bit_of(nfexpr.CT_STATUS_DNAT)
    return [
        [from_subnet, _to(bridge, NFT_CMP_NEQ)],
        [from_subnet, _to(bridge), translated],
        [_source(IPv4Network("127.0.0.0/8")), _to(bridge)],
    ]


def _elements(endpoint: Endpoint) -> dict[str, dict[bytes, bytes]]:
    """What the endpoint's ports are in the two maps."""
    found: dict[str, dict[bytes, bytes]] = {}
    for port in endpoint.published:
        protocol, number = bytes([PROTOCOLS[port.protocol]]), port.host_port.to_bytes(2, "big")
        if port.host_ip == ANY_ADDRESS:
            name, key = PUBLISHED_ANY, nftables.concat(protocol, number)
        else:
            name, key = PUBLISHED_AT, nftables.concat(protocol, IPv4Address(port.host_ip).packed, number)
        target = IPv4Address(endpoint.ip_address).packed
        found.setdefault(name, {})[key] = nftables.concat(target, port.container_port.to_bytes(2, "big"))
    return found


def _from(bridge: str, operator: int = NFT_CMP_EQ) -> bytes:
    return nfexpr.interface(nfexpr.NFT_META_IIFNAME, operator, bridge)


def _to(bridge: str, operator: int = NFT_CMP_EQ) -> bytes:
    return nfexpr.interface(nfexpr.NFT_META_OIFNAME, operator, bridge)


def _source(network: IPv4Network) -> bytes:
    load = nfexpr.payload(nfexpr.NFT_PAYLOAD_NETWORK_HEADER, 12, 4)
    mask = nfexpr.bitwise_and(network.netmask.packed)
    return load + mask + nfexpr.cmp(NFT_CMP_EQ, network.network_address.packed)


def _bit_of(bits: int) -> bytes:
    return nfexpr.bitwise_and(_native(bits)) + nfexpr.cmp(NFT_CMP_NEQ, _native(0))


def _no_bit_of(bits: int) -> bytes:
    return nfexpr.bitwise_and(_native(bits)) + nfexpr.cmp(NFT_CMP_EQ, _native(0))


def _native(value: int) -> bytes:
    return value.to_bytes(4, sys.byteorder)


_BASE_CHAINS = (
    ("guard", "filter", nftables.NF_INET_PRE_ROUTING, _RAW),
    ("incoming", "nat", nftables.NF_INET_PRE_ROUTING, _DSTNAT),
    ("outgoing", "nat", nftables.NF_INET_LOCAL_OUT, _DSTNAT),
    ("forward", "filter", nftables.NF_INET_FORWARD, _FILTER),
    ("leaving", "nat", nftables.NF_INET_POST_ROUTING, _SRCNAT),
)
_FIRST_DESTINATION_BYTE = nfexpr.payload(nfexpr.NFT_PAYLOAD_NETWORK_HEADER, 16, 1)
_LOOPBACK_DESTINATION = _FIRST_DESTINATION_BYTE + nfexpr.cmp(NFT_CMP_EQ, b"\x7f")
_NO_LOOPBACK_DESTINATION = _FIRST_DESTINATION_BYTE + nfexpr.cmp(NFT_CMP_NEQ, b"\x7f")
_LOCAL_DESTINATION = nfexpr.fib_daddr_type() + nfexpr.cmp(NFT_CMP_EQ, _native(nfexpr.RTN_LOCAL))
_DROP = nfexpr.verdict(nfexpr.NF_DROP)
