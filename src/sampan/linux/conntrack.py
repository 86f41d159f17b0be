"""Connection tracking: forget entries, so that their next packet meets the rules as a new one.

Why         Address translation is decided by the first packet of a connection. A UDP client that goes on sending from
            one port while the server is replaced has an entry that outlives its rules, and is never translated again.
Errors      OSError; EINVAL when the kernel has no ctnetlink.
Spec        linux/netfilter/nfnetlink_conntrack.h.
"""

import errno

from sampan.linux import netlink
from sampan.linux.netlink import Message, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

NFPROTO_IPV4 = 2
IPPROTO_UDP = 17

_CTNETLINK = 1 << 8
IPCTNL_MSG_CT_GET = _CTNETLINK + 1
IPCTNL_MSG_CT_DELETE = _CTNETLINK + 2

CTA_TUPLE_ORIG = 1
CTA_ID = 12
CTA_ZONE = 18
CTA_TUPLE_PROTO = 2
CTA_PROTO_NUM = 1
CTA_PROTO_DST_PORT = 3

_HEADER = bytes([NFPROTO_IPV4, 0, 0, 0])
# What names an entry: its tuple, the zone that is in, and the id, without which a successor might be meant.
_NAMING = (CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID)


def forget_udp(sock: netlink.Socket, ports: "Collection[int]") -> int:
    """Delete the IPv4 UDP entries that were first sent to one of the ports; their number."""
    wanted = {port.to_bytes(2, "big") for port in ports}
    forgotten = 0
    for entry in sock.dump(Message(IPCTNL_MSG_CT_GET, 0, _HEADER)):
        values = dict(attributes(entry.payload, len(_HEADER)))
        protocol = dict(attributes(dict(attributes(values[CTA_TUPLE_ORIG]))[CTA_TUPLE_PROTO]))
        if protocol[CTA_PROTO_NUM] == bytes([IPPROTO_UDP]) and protocol.get(CTA_PROTO_DST_PORT) in wanted:
            forgotten += _delete(sock, values)
    return forgotten


def _delete(sock: netlink.Socket, values: dict[int, bytes]) -> bool:
    named = b"".join(_attribute(kind, values[kind]) for kind in _NAMING if kind in values)
    try:
        sock.request([Message(IPCTNL_MSG_CT_DELETE, 0, _HEADER + named)])
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def _attribute(kind: int, value: bytes) -> bytes:
    return netlink.attribute(kind | (netlink.NLA_F_NESTED if kind == CTA_TUPLE_ORIG else 0), value)
