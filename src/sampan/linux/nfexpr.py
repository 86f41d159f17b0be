"""nftables expressions: the steps of a rule, as the bytes that go into NFTA_RULE_EXPRESSIONS.

A rule is a concatenation of expressions. Each loads a register, compares one (and ends the rule when the comparison
fails) or acts. Registers are numbered in 32-bit units, 0 to 15 (`R32(n)`); a concatenated key occupies neighbouring
ones, every part padded to four bytes.

Units       Values are bytes as the kernel compares them: addresses and ports in network order, what comes from
            `meta` and `ct` in the machine's.
Spec        linux/netfilter/nf_tables.h; nft(8).
"""

from sampan.linux.netlink import attribute, be32, nested, text

NFTA_LIST_ELEM = 1
NFTA_EXPR_NAME = 1
NFTA_EXPR_DATA = 2

NFTA_DATA_VALUE = 1
NFTA_DATA_VERDICT = 2
NFTA_VERDICT_CODE = 1
NFTA_VERDICT_CHAIN = 2
NFT_REG_VERDICT = 0
NFT_REG32_00 = 8

NF_DROP = 0
NF_ACCEPT = 1
NFT_JUMP = -3

NFT_CMP_EQ = 0
NFT_CMP_NEQ = 1

NFT_META_IIFNAME = 6
NFT_META_OIFNAME = 7
NFT_META_L4PROTO = 16

NFT_PAYLOAD_NETWORK_HEADER = 1
NFT_PAYLOAD_TRANSPORT_HEADER = 2

NFT_CT_STATE = 0
NFT_CT_STATUS = 2
CT_STATE_ESTABLISHED = 2
CT_STATE_RELATED = 4
CT_STATUS_DNAT = 1 << 5

NFT_FIB_RESULT_ADDRTYPE = 3
NFTA_FIB_F_DADDR = 2
RTN_LOCAL = 2

NFT_NAT_DNAT = 1
NFPROTO_IPV4 = 2

IFNAMSIZ = 16


def register(number: int) -> int:
    """The kernel's number of the 32-bit register `number` (0 to 15)."""
    return NFT_REG32_00 + number


def expression(name: str, *attributes: bytes) -> bytes:
    """One expression; `attributes` are its own."""
    return nested(NFTA_LIST_ELEM, text(NFTA_EXPR_NAME, name), nested(NFTA_EXPR_DATA, *attributes))


def meta(key: int, *, into: int = 0) -> bytes:
    """Load a property of the packet."""
    return expression("meta", be32(1, register(into)), be32(2, key))


def payload(base: int, offset: int, length: int, *, into: int = 0) -> bytes:
    """Load bytes of the packet, counted from one of its headers."""
    return expression("payload", be32(1, register(into)), be32(2, base), be32(3, offset), be32(4, length))


def ct(key: int, *, into: int = 0) -> bytes:
    """Load a property of the packet's connection."""
    return expression("ct", be32(1, register(into)), be32(2, key))


def fib_daddr_type(*, into: int = 0) -> bytes:
    """Load the route type (RTN_LOCAL, ...) of the packet's destination."""
    return expression("fib", be32(1, register(into)), be32(2, NFT_FIB_RESULT_ADDRTYPE), be32(3, NFTA_FIB_F_DADDR))


def cmp(operator: int, value: bytes, *, of: int = 0) -> bytes:
    """Go on only if the register equals, or differs from, `value`."""
    return expression("cmp", be32(1, register(of)), be32(2, operator), nested(3, attribute(NFTA_DATA_VALUE, value)))


def bitwise_and(mask: bytes, *, of: int = 0) -> bytes:
    """Mask a register in place."""
    return expression(
        "bitwise",
        be32(1, register(of)),
        be32(2, register(of)),
        be32(3, len(mask)),
        nested(4, attribute(NFTA_DATA_VALUE, mask)),
        nested(5, attribute(NFTA_DATA_VALUE, bytes(len(mask)))),
    )


def lookup(map_name: str, *, key: int = 0, into: int) -> bytes:
    """Go on only if the map has the key that starts in register `key`; load what it maps to."""
    return expression("lookup", text(1, map_name), be32(2, register(key)), be32(3, register(into)))


def dnat(*, address: int, port: int) -> bytes:
    """Send the connection to the IPv4 address and port in two registers."""
    return expression(
        "nat", be32(1, NFT_NAT_DNAT), be32(2, NFPROTO_IPV4), be32(3, register(address)), be32(5, register(port))
    )


def masquerade() -> bytes:
    """Let the connection come from the address of the interface it leaves by."""
    return expression("masq")


def counter() -> bytes:
    """Count packets and bytes that came this far."""
    return expression("counter")


def verdict(code: int, *, chain: str | None = None) -> bytes:
    """Accept, drop, or jump to a chain."""
    to = (text(NFTA_VERDICT_CHAIN, chain),) if chain else ()
    value = nested(NFTA_DATA_VERDICT, be32(NFTA_VERDICT_CODE, code), *to)
    return expression("immediate", be32(1, NFT_REG_VERDICT), nested(2, value))


def interface(key: int, operator: int, name: str) -> bytes:
    """Go on only if the packet's input or output interface is, or is not, `name`."""
    return meta(key) + cmp(operator, name.encode().ljust(IFNAMSIZ, b"\0"))
