"""nftables: tables, chains, rules, maps and their elements as nfnetlink messages; atomic batches; listings.

`Batch` collects changes and commits them in one transaction: the kernel applies all of them or none, and no packet
sees a state in between. Rules are made of `nfexpr` expressions.

Invariants  1. A batch is one system call. Creating what exists is not an error (but for rules, which pile up).
            2. A comment is stored as nft(8) stores it, so `nft list ruleset` shows it.
Errors      OSError of the first message refused; ENOENT also for a table that a listing or a deletion does not find.
Spec        linux/netfilter/nf_tables.h, nfnetlink.h; libnftnl's udata for comments and type numbers.
"""

from sampan.linux import netlink
from sampan.linux.netlink import Message, attribute, attributes, be32, nested, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NFNLGRP_NFTABLES = 7

NFPROTO_UNSPEC = 0
NFPROTO_INET = 1
NFPROTO_IPV4 = 2

NF_INET_PRE_ROUTING = 0
NF_INET_LOCAL_IN = 1
NF_INET_FORWARD = 2
NF_INET_LOCAL_OUT = 3
NF_INET_POST_ROUTING = 4

NF_DROP = 0
NF_ACCEPT = 1

NFNL_MSG_BATCH_BEGIN = 0x10
NFNL_MSG_BATCH_END = 0x11
NFNL_SUBSYS_NFTABLES = 10
_NFTABLES = NFNL_SUBSYS_NFTABLES << 8

NFT_MSG_NEWTABLE = _NFTABLES
NFT_MSG_DELTABLE = _NFTABLES + 2
NFT_MSG_NEWCHAIN = _NFTABLES + 3
NFT_MSG_GETCHAIN = _NFTABLES + 4
NFT_MSG_DELCHAIN = _NFTABLES + 5
NFT_MSG_NEWRULE = _NFTABLES + 6
NFT_MSG_GETRULE = _NFTABLES + 7
NFT_MSG_DELRULE = _NFTABLES + 8
NFT_MSG_NEWSET = _NFTABLES + 9
NFT_MSG_DELSET = _NFTABLES + 11
NFT_MSG_NEWSETELEM = _NFTABLES + 12
NFT_MSG_GETSETELEM = _NFTABLES + 13
NFT_MSG_DELSETELEM = _NFTABLES + 14
NFT_MSG_NEWGEN = _NFTABLES + 15

NFTA_TABLE_NAME = 1
NFTA_CHAIN_TABLE = 1
NFTA_CHAIN_NAME = 3
NFTA_CHAIN_HOOK = 4
NFTA_CHAIN_POLICY = 5
NFTA_CHAIN_TYPE = 7
NFTA_HOOK_HOOKNUM = 1
NFTA_HOOK_PRIORITY = 2
NFTA_RULE_TABLE = 1
NFTA_RULE_CHAIN = 2
NFTA_RULE_HANDLE = 3
NFTA_RULE_EXPRESSIONS = 4
NFTA_RULE_USERDATA = 7
NFTA_SET_TABLE = 1
NFTA_SET_NAME = 2
NFTA_SET_FLAGS = 3
NFTA_SET_KEY_TYPE = 4
NFTA_SET_KEY_LEN = 5
NFTA_SET_DATA_TYPE = 6
NFTA_SET_DATA_LEN = 7
NFTA_SET_ID = 10
NFT_SET_MAP = 0x8
NFTA_SET_ELEM_LIST_TABLE = 1
NFTA_SET_ELEM_LIST_SET = 2
NFTA_SET_ELEM_LIST_ELEMENTS = 3
NFTA_LIST_ELEM = 1
NFTA_SET_ELEM_KEY = 1
NFTA_SET_ELEM_DATA = 2
NFTA_DATA_VALUE = 1
NFTNL_UDATA_RULE_COMMENT = 0

# nft(8)'s numbers of data types, by which it lists keys and values: (number, bytes in a register).
IPV4_ADDR = (7, 4)
INET_PROTO = (12, 4)
INET_SERVICE = (13, 4)
_CONCAT_BITS = 6

# An attribute's length has 16 bits; an element takes 44 bytes at most with the keys used here.
_ELEMENTS_PER_MESSAGE = 500


class Chain:
    """A base chain as the kernel lists it."""

    __slots__ = ("family", "hook", "name", "policy", "table")

    def __init__(self, family: int, table: str, name: str, *, hook: int, policy: int) -> None:
        self.family = family
        self.table = table
        self.name = name
        self.hook = hook
        self.policy = policy

    def __repr__(self) -> str:
        return f"Chain({self.family} {self.table} {self.name} hook={self.hook} policy={self.policy})"


class Rule:
    """A rule as the kernel lists it, by its handle and comment."""

    __slots__ = ("chain", "comment", "family", "handle", "table")

    def __init__(self, family: int, table: str, chain: str, *, handle: int, comment: str) -> None:
        self.family = family
        self.table = table
        self.chain = chain
        self.handle = handle
        self.comment = comment


class Batch:
    """Changes that are committed together. `table` is implied in every method; `family` is NFPROTO_IPV4 by default."""

    __slots__ = ("_messages", "_set_id")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._set_id = 0

    def commit(self, sock: netlink.Socket) -> None:
        """Apply everything, or nothing and raise."""
        if self._messages:
            begin, end = (Message(kind, 0, _header(0, NFNL_SUBSYS_NFTABLES)) for kind in _BATCH_KINDS)
            sock.batch([begin, *self._messages, end])

    def add_table(self, name: str) -> None:
        self._add(NFT_MSG_NEWTABLE, netlink.NLM_F_CREATE, text(NFTA_TABLE_NAME, name))

    def delete_table(self, name: str) -> None:
        """Delete a table with all it holds; ENOENT when it is not there."""
        self._add(NFT_MSG_DELTABLE, 0, text(NFTA_TABLE_NAME, name))

    def add_chain(self, table: str, name: str) -> None:
        """A chain that rules jump to."""
        self._add(NFT_MSG_NEWCHAIN, netlink.NLM_F_CREATE, text(NFTA_CHAIN_TABLE, table) + text(NFTA_CHAIN_NAME, name))

    def add_base_chain(self, table: str, name: str, *, kind: str, hook: int, priority: int) -> None:
        """A chain that packets pass at `hook`, with policy accept; `kind` is "filter" or "nat"."""
        place = nested(NFTA_CHAIN_HOOK, be32(NFTA_HOOK_HOOKNUM, hook), be32(NFTA_HOOK_PRIORITY, priority))
        payload = text(NFTA_CHAIN_TABLE, table) + text(NFTA_CHAIN_NAME, name) + place
        payload += be32(NFTA_CHAIN_POLICY, NF_ACCEPT) + text(NFTA_CHAIN_TYPE, kind)
        self._add(NFT_MSG_NEWCHAIN, netlink.NLM_F_CREATE, payload)

    def add_rule(self, table: str, chain: str, *expressions: bytes) -> None:
        """A rule at the end of a chain."""
        payload = _rule(table, chain) + nested(NFTA_RULE_EXPRESSIONS, *expressions)
        self._add(NFT_MSG_NEWRULE, netlink.NLM_F_CREATE | netlink.NLM_F_APPEND, payload)

    def insert_rule(self, chain: Chain, *expressions: bytes, comment: str) -> None:
        """A rule at the head of somebody's chain, to be recognised by its comment."""
        payload = _rule(chain.table, chain.name) + nested(NFTA_RULE_EXPRESSIONS, *expressions)
        payload += attribute(NFTA_RULE_USERDATA, _comment_userdata(comment))
        self._add(NFT_MSG_NEWRULE, netlink.NLM_F_CREATE, payload, family=chain.family)

    def delete_rule(self, rule: Rule) -> None:
        payload = _rule(rule.table, rule.chain) + attribute(NFTA_RULE_HANDLE, rule.handle.to_bytes(8, "big"))
        self._add(NFT_MSG_DELRULE, 0, payload, family=rule.family)

    def add_map(
        self, table: str, name: str, *, key: "tuple[tuple[int, int], ...]", value: "tuple[tuple[int, int], ...]"
    ) -> None:
        """A map; a key or value of several types is their concatenation."""
        self._set_id += 1
        payload = text(NFTA_SET_TABLE, table) + text(NFTA_SET_NAME, name) + be32(NFTA_SET_FLAGS, NFT_SET_MAP)
        payload += be32(NFTA_SET_KEY_TYPE, _type(key)) + be32(NFTA_SET_KEY_LEN, sum(size for _, size in key))
        payload += be32(NFTA_SET_DATA_TYPE, _type(value)) + be32(NFTA_SET_DATA_LEN, sum(size for _, size in value))
        self._add(NFT_MSG_NEWSET, netlink.NLM_F_CREATE, payload + be32(NFTA_SET_ID, self._set_id))

    def add_elements(self, table: str, name: str, elements: "Iterable[tuple[bytes, bytes]]") -> None:
        """Keys with their values; EEXIST when a key is there with another value."""
        found = [_element(key) + _value(value) for key, value in elements]
        self._elements(NFT_MSG_NEWSETELEM, netlink.NLM_F_CREATE, table, name, found)

    def delete_elements(self, table: str, name: str, keys: "Iterable[bytes]") -> None:
        """ENOENT when one is not there."""
        self._elements(NFT_MSG_DELSETELEM, 0, table, name, [_element(key) for key in keys])

    def _elements(self, kind: int, flags: int, table: str, name: str, elements: list[bytes]) -> None:
        names = text(NFTA_SET_ELEM_LIST_TABLE, table) + text(NFTA_SET_ELEM_LIST_SET, name)
        for start in range(0, len(elements), _ELEMENTS_PER_MESSAGE):
            part = [nested(NFTA_LIST_ELEM, element) for element in elements[start : start + _ELEMENTS_PER_MESSAGE]]
            self._add(kind, flags, names + nested(NFTA_SET_ELEM_LIST_ELEMENTS, *part))

    def _add(self, kind: int, flags: int, payload: bytes, *, family: int = NFPROTO_IPV4) -> None:
        self._messages.append(Message(kind, flags, _header(family) + payload))


def concat(*parts: bytes) -> bytes:
    """A key or value of several parts, each padded to a register."""
    return b"".join(part + bytes(-len(part) % 4) for part in parts)


def list_base_chains(sock: netlink.Socket) -> list[Chain]:
    """The chains of all families and tables that are attached to a hook."""
    found = []
    for answer in sock.dump(Message(NFT_MSG_GETCHAIN, 0, _header(NFPROTO_UNSPEC))):
        values = dict(attributes(answer.payload, 4))
        if NFTA_CHAIN_HOOK in values:
            hook = int.from_bytes(dict(attributes(values[NFTA_CHAIN_HOOK]))[NFTA_HOOK_HOOKNUM], "big")
            policy = int.from_bytes(values.get(NFTA_CHAIN_POLICY, b"\1"), "big")
            table, name = _string(values[NFTA_CHAIN_TABLE]), _string(values[NFTA_CHAIN_NAME])
            found.append(Chain(answer.payload[0], table, name, hook=hook, policy=policy))
    return found


def list_rules(sock: netlink.Socket, *, family: int, table: str, chain: str) -> list[Rule]:
    """The rules of one chain; none when the chain is not there."""
    found = []
    for answer in sock.dump(Message(NFT_MSG_GETRULE, 0, _header(family) + _rule(table, chain))):
        values = dict(attributes(answer.payload, 4))
        handle = int.from_bytes(values[NFTA_RULE_HANDLE], "big")
        comment = _comment(values.get(NFTA_RULE_USERDATA, b""))
        found.append(
            Rule(
                answer.payload[0],
                _string(values[NFTA_RULE_TABLE]),
                _string(values[NFTA_RULE_CHAIN]),
                handle=handle,
                comment=comment,
            )
        )
    return found


def list_elements(sock: netlink.Socket, table: str, name: str) -> dict[bytes, bytes]:
    """The elements of a map of the `ip` family."""
    found = {}
    payload = text(NFTA_SET_ELEM_LIST_TABLE, table) + text(NFTA_SET_ELEM_LIST_SET, name)
    for answer in sock.dump(Message(NFT_MSG_GETSETELEM, 0, _header(NFPROTO_IPV4) + payload)):
        listing = dict(attributes(answer.payload, 4)).get(NFTA_SET_ELEM_LIST_ELEMENTS, b"")
        for _, element in attributes(listing):
            values = dict(attributes(element))
            key, value = (dict(attributes(values[kind]))[NFTA_DATA_VALUE] for kind in _ELEMENT_PARTS)
            found[key] = value
    return found


def is_about(notification: Message, table: str) -> bool:
    """Whether a notification is about an `ip` table of that name or something in it."""
    if notification.kind == NFT_MSG_NEWGEN or notification.payload[0] != NFPROTO_IPV4:
        return False
    return _string(dict(attributes(notification.payload, 4)).get(NFTA_TABLE_NAME, b"")) == table


_BATCH_KINDS = (NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END)
_ELEMENT_PARTS = (NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA)


def _header(family: int, resource: int = 0) -> bytes:
    """struct nfgenmsg: family, version 0, resource id in network order."""
    return bytes([family, 0]) + resource.to_bytes(2, "big")


def _rule(table: str, chain: str) -> bytes:
    return text(NFTA_RULE_TABLE, table) + text(NFTA_RULE_CHAIN, chain)


def _type(parts: "tuple[tuple[int, int], ...]") -> int:
    number = 0
    for kind, _ in parts:
        number = number << _CONCAT_BITS | kind
    return number


def _element(key: bytes) -> bytes:
    return nested(NFTA_SET_ELEM_KEY, attribute(NFTA_DATA_VALUE, key))


def _value(value: bytes) -> bytes:
    return nested(NFTA_SET_ELEM_DATA, attribute(NFTA_DATA_VALUE, value))


def _string(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _comment_userdata(comment: str) -> bytes:
    value = comment.encode() + b"\0"
    return bytes([NFTNL_UDATA_RULE_COMMENT, len(value)]) + value


def _comment(userdata: bytes) -> str:
    """Userdata is a row of (type, length, value) with one byte each for the first two."""
    offset = 0
    while offset + 2 <= len(userdata):
        kind, length = userdata[offset], userdata[offset + 1]
        if kind == NFTNL_UDATA_RULE_COMMENT:
            return _string(userdata[offset + 2 : offset + 2 + length])
        offset += 2 + length
    return ""
