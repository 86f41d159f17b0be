"""rtnetlink: links, IPv4 addresses, routes and neighbours as netlink messages, and the lists of them.

The functions that change something only build a message, so that a caller sends several in one
`netlink.Socket.request`; those that list take the socket. Addresses are packed (4 or 6 bytes).

Errors      OSError as the kernel gives it (EEXIST, ENODEV, ESRCH, ...).
Spec        rtnetlink(7), linux/if_link.h, linux/rtnetlink.h; veth(4).
"""

import errno
import struct

from sampan.linux import netlink
from sampan.linux.netlink import Message, attribute, attributes, nested, text, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

AF_INET = 2
AF_INET6 = 10

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_SETLINK = 19
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_NEWROUTE = 24
RTM_GETROUTE = 26
RTM_NEWNEIGH = 28

IFF_UP = 1

LOOPBACK_INDEX = 1  # lo is the first interface of every network namespace

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_LINK = 5
IFLA_MASTER = 10
IFLA_LINKINFO = 18
IFLA_AF_SPEC = 26
IFLA_NET_NS_FD = 28
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFLA_INFO_SLAVE_KIND = 4
IFLA_INFO_SLAVE_DATA = 5
IFLA_BRPORT_MODE = 4
IFLA_INET6_ADDR_GEN_MODE = 8
IN6_ADDR_GEN_MODE_NONE = 1
VETH_INFO_PEER = 1

IFA_ADDRESS = 1
IFA_LOCAL = 2
IFA_BROADCAST = 4
IFA_FLAGS = 8
IFA_RT_PRIORITY = 9
IFA_F_PERMANENT = 0x80
RT_SCOPE_UNIVERSE = 0
# Not the label, which is the interface's old name, nor its times: a permanent address has none.
_IFA_COPIED = (IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS, IFA_RT_PRIORITY)

RTA_DST = 1
RTA_OIF = 4
RTA_GATEWAY = 5
RT_TABLE_MAIN = 254
RTPROT_BOOT = 3
RTN_UNICAST = 1

NDA_DST = 1
NDA_LLADDR = 2
NUD_STALE = 0x04

# struct ifinfomsg, ifaddrmsg, rtmsg, ndmsg
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, mask of the flags to change
_ADDRESS = struct.Struct("=BBBBi")  # family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # family, dst length, src length, tos, table, protocol, scope, type, flags
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # family, index, state, flags, type

_CREATE = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL


class Link:
    """A network interface; `peer` is the index of a veth's other end (in its own namespace), 0 for none."""

    __slots__ = ("index", "is_up", "kind", "mac", "master", "mtu", "name", "peer")

    def __init__(self, index: int, flags: int) -> None:
        self.index = index
        self.is_up = bool(flags & IFF_UP)
        self.name = self.kind = ""
        self.mac = b""
        self.mtu = self.master = self.peer = 0

    def __repr__(self) -> str:
        return f"Link({self.index}: {self.name}, kind={self.kind!r}, master={self.master})"


class Address:
    """An IPv4 address of an interface."""

    __slots__ = ("address", "index", "prefix_length")

    def __init__(self, index: int, address: bytes, prefix_length: int) -> None:
        self.index = index
        self.address = address
        self.prefix_length = prefix_length


class Route:
    """An IPv4 unicast route of the main table; the default route has prefix length 0."""

    __slots__ = ("destination", "gateway", "index", "prefix_length")

    def __init__(self, destination: bytes, prefix_length: int, *, gateway: bytes, index: int) -> None:
        self.destination = destination
        self.prefix_length = prefix_length
        self.gateway = gateway
        self.index = index


def new_bridge(name: str, *, mac: bytes, mtu: int) -> Message:
    """Create a bridge and set it up. A given address stays; an unset one follows the ports that come and go."""
    payload = _LINK.pack(0, 0, 0, IFF_UP, IFF_UP)
    payload += text(IFLA_IFNAME, name) + attribute(IFLA_ADDRESS, mac) + u32(IFLA_MTU, mtu) + _info("bridge")
    return Message(RTM_NEWLINK, _CREATE, payload)


def new_veth(name: str, *, master: int, mtu: int, peer: str, peer_mac: bytes, peer_netns_fd: int) -> Message:
    """Create a veth pair: `name` here, up and a port of bridge `master`; `peer` in the other namespace, still down."""
    other = _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, peer) + attribute(IFLA_ADDRESS, peer_mac)
    other += u32(IFLA_MTU, mtu) + u32(IFLA_NET_NS_FD, peer_netns_fd)
    payload = _LINK.pack(0, 0, 0, IFF_UP, IFF_UP) + text(IFLA_IFNAME, name) + u32(IFLA_MTU, mtu)
    payload += u32(IFLA_MASTER, master) + _info("veth", nested(VETH_INFO_PEER, other))
    return Message(RTM_NEWLINK, _CREATE, payload)


def set_hairpin(name: str) -> Message:
    """Let the bridge send a frame back through the port it came from."""
    port = nested(IFLA_INFO_SLAVE_DATA, attribute(IFLA_BRPORT_MODE, b"\1"))
    linkinfo = nested(IFLA_LINKINFO, text(IFLA_INFO_SLAVE_KIND, "bridge"), port)
    return Message(RTM_NEWLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name) + linkinfo)


def set_up(index: int) -> Message:
    """Set an interface up."""
    return Message(RTM_SETLINK, 0, _LINK.pack(0, 0, index, IFF_UP, IFF_UP))


def set_down(name: str) -> Message:
    """Set an interface down."""
    return Message(RTM_SETLINK, 0, _LINK.pack(0, 0, 0, 0, IFF_UP) + text(IFLA_IFNAME, name))


def set_master(name: str, master: int) -> Message:
    """Make an interface a port of a bridge."""
    return Message(RTM_SETLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name) + u32(IFLA_MASTER, master))


def set_no_ipv6_address(index: int) -> Message:
    """Keep an interface that is still down from giving itself an IPv6 link-local address."""
    mode = nested(IFLA_AF_SPEC, nested(AF_INET6, attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([IN6_ADDR_GEN_MODE_NONE]))))
    return Message(RTM_SETLINK, 0, _LINK.pack(0, 0, index, 0, 0) + mode)


def move_link(index: int, netns_fd: int, name: str) -> Message:
    """Move an interface to another network namespace and give it a name there; it is down then, without addresses."""
    payload = _LINK.pack(0, 0, index, 0, 0) + u32(IFLA_NET_NS_FD, netns_fd) + text(IFLA_IFNAME, name)
    return Message(RTM_NEWLINK, 0, payload)


def delete_link(name: str) -> Message:
    """Delete an interface; of a veth pair both ends."""
    return Message(RTM_DELLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name))


def new_address(index: int, address: bytes, prefix_length: int, *, broadcast: bytes) -> Message:
    """Give an interface an IPv4 address."""
    payload = _ADDRESS.pack(AF_INET, prefix_length, 0, 0, index) + attribute(IFA_LOCAL, address)
    payload += attribute(IFA_ADDRESS, address) + attribute(IFA_BROADCAST, broadcast)
    return Message(RTM_NEWADDR, _CREATE, payload)


def delete_address(index: int, address: bytes, prefix_length: int) -> Message:
    """Take an IPv4 address away."""
    payload = _ADDRESS.pack(AF_INET, prefix_length, 0, 0, index) + attribute(IFA_LOCAL, address)
    return Message(RTM_DELADDR, 0, payload)


def copy_address(index: int, address: Message) -> Message:
    """Give an interface an address as `list_raw_addresses` found it, of whichever family."""
    family, prefix_length, flags, scope, _ = _ADDRESS.unpack_from(address.payload)
    kept = [attribute(*found) for found in attributes(address.payload, _ADDRESS.size) if found[0] in _IFA_COPIED]
    payload = _ADDRESS.pack(family, prefix_length, flags, scope, index) + b"".join(kept)
    return Message(RTM_NEWADDR, netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE, payload)


def new_default_route(gateway: bytes) -> Message:
    """Send everything without a closer route to `gateway`."""
    payload = _ROUTE.pack(AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0)
    return Message(RTM_NEWROUTE, _CREATE, payload + attribute(RTA_GATEWAY, gateway))


def replace_neighbour(index: int, address: bytes, mac: bytes) -> Message:
    """Tell an interface the hardware address of a neighbour, to be verified when it is used."""
    payload = (
        _NEIGHBOUR.pack(AF_INET, index, NUD_STALE, 0, 0) + attribute(NDA_DST, address) + attribute(NDA_LLADDR, mac)
    )
    return Message(RTM_NEWNEIGH, netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE, payload)


def get_link(name: str) -> Message:
    """Ask for one interface by name; pass the answer to `link`."""
    return Message(RTM_GETLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name))


def find_link(sock: netlink.Socket, name: str) -> Link | None:
    """The interface of that name."""
    try:
        return link(sock.request([get_link(name)]))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise


def list_links(sock: netlink.Socket) -> list[Link]:
    """All interfaces."""
    return [link([answer]) for answer in sock.dump(Message(RTM_GETLINK, 0, _LINK.pack(0, 0, 0, 0, 0)))]


def list_addresses(sock: netlink.Socket) -> list[Address]:
    """All IPv4 addresses."""
    found = []
    for answer in sock.dump(Message(RTM_GETADDR, 0, _ADDRESS.pack(AF_INET, 0, 0, 0, 0))):
        _, prefix_length, _, _, index = _ADDRESS.unpack_from(answer.payload)
        values = dict(attributes(answer.payload, _ADDRESS.size))
        found.append(Address(index, values.get(IFA_LOCAL) or values[IFA_ADDRESS], prefix_length))
    return found


def list_raw_addresses(sock: netlink.Socket, index: int) -> list[Message]:
    """The addresses of one interface, of every family, that are permanent and valid beyond it (IFA_F_PERMANENT)."""
    found = []
    for answer in sock.dump(Message(RTM_GETADDR, 0, _ADDRESS.pack(0, 0, 0, 0, 0))):
        _, _, flags, scope, where = _ADDRESS.unpack_from(answer.payload)
        if where == index and flags & IFA_F_PERMANENT and scope == RT_SCOPE_UNIVERSE:
            found.append(answer)
    return found


def list_routes(sock: netlink.Socket) -> list[Route]:
    """The IPv4 unicast routes of the main table."""
    found = []
    for answer in sock.dump(Message(RTM_GETROUTE, 0, _ROUTE.pack(AF_INET, 0, 0, 0, 0, 0, 0, 0, 0))):
        _, prefix_length, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(answer.payload)
        if table != RT_TABLE_MAIN or kind != RTN_UNICAST:
            continue
        values = dict(attributes(answer.payload, _ROUTE.size))
        index = netlink.integer(values.get(RTA_OIF, bytes(4)))
        destination = values.get(RTA_DST, bytes(4))
        found.append(Route(destination, prefix_length, gateway=values.get(RTA_GATEWAY, b""), index=index))
    return found


def link(answers: "Sequence[Message]") -> Link:
    """The interface that an RTM_NEWLINK message describes."""
    payload = answers[0].payload
    _, _, index, flags, _ = _LINK.unpack_from(payload)
    found = Link(index, flags)
    for kind, value in attributes(payload, _LINK.size):
        if kind == IFLA_IFNAME:
            found.name = value.rstrip(b"\0").decode()
        elif kind == IFLA_ADDRESS:
            found.mac = value
        elif kind == IFLA_MTU:
            found.mtu = netlink.integer(value)
        elif kind == IFLA_MASTER:
            found.master = netlink.integer(value)
        elif kind == IFLA_LINK:
            found.peer = netlink.integer(value)
        elif kind == IFLA_LINKINFO:
            found.kind = dict(attributes(value)).get(IFLA_INFO_KIND, b"").rstrip(b"\0").decode()
    return found


def _info(kind: str, *details: bytes) -> bytes:
    inner = [text(IFLA_INFO_KIND, kind)]
    if details:
        inner.append(nested(IFLA_INFO_DATA, *details))
    return nested(IFLA_LINKINFO, *inner)
