from sampan.linux import netlink, nftables
from sampan.linux.netlink import Message, attributes, be32, nested, text
from sampan.network.foreign import ForeignChains


class FakeRuleset:
    """A kernel with base chains (family, table, policy) whose rules are comments by table."""

    def __init__(self, *chains: tuple[int, str, int], hook: int = nftables.NF_INET_FORWARD) -> None:
        self._chains = chains
        self._hook = hook
        self.rules: dict[str, list[bytes]] = {table: [] for _, table, _ in chains}

    def dump(self, message: Message) -> list[Message]:
        if message.kind == nftables.NFT_MSG_GETCHAIN:
            return [self._chain(*chain) for chain in self._chains]
        table = dict(attributes(message.payload, 4))[1].rstrip(b"\0").decode()
        return [self._rule(message.payload[:1], table, *rule) for rule in enumerate(self.rules[table])]

    def batch(self, messages: list[Message]) -> None:
        for message in messages[1:-1]:
            values = dict(attributes(message.payload, 4))
            rules = self.rules[values[1].rstrip(b"\0").decode()]
            if message.kind == nftables.NFT_MSG_NEWRULE:
                rules.insert(0, values[nftables.NFTA_RULE_USERDATA])
            else:
                handle = int.from_bytes(values[nftables.NFTA_RULE_HANDLE], "big")
                rules[handle] = b"deleted"

    def _chain(self, family: int, table: str, policy: int) -> Message:
        hook = nested(4, be32(1, self._hook), be32(2, 0))
        return Message(0, 0, bytes([family, 0, 0, 0]) + text(1, table) + text(3, "FORWARD") + hook + be32(5, policy))

    def _rule(self, family: bytes, table: str, handle: int, userdata: bytes) -> Message:
        payload = family + bytes(3) + text(1, table) + text(2, "FORWARD")
        payload += netlink.attribute(3, handle.to_bytes(8, "big")) + netlink.attribute(7, userdata)
        return Message(0, 0, payload)


def foreign(ruleset: FakeRuleset) -> ForeignChains:
    return ForeignChains("smpn0", "sampan-smpn0", ruleset)  # type: ignore[arg-type]


def test_dropping_chains_get_two_rules_once() -> None:
    ruleset = FakeRuleset(
        (2, "filter", nftables.NF_DROP), (1, "inet", nftables.NF_DROP), (2, "calm", nftables.NF_ACCEPT)
    )
    own = foreign(ruleset)
    assert own.open_up() == 2
    assert own.open_up() == 0
    assert ruleset.rules["filter"] == ruleset.rules["inet"] == [b"\0\x0dsampan smpn0\0"] * 2
    assert ruleset.rules["calm"] == []


def test_our_own_table_other_families_and_other_hooks_are_left_alone() -> None:
    chains = (2, "sampan-smpn0", nftables.NF_DROP), (10, "v6", nftables.NF_DROP)
    assert foreign(FakeRuleset(*chains)).open_up() == 0
    assert foreign(FakeRuleset((2, "filter", nftables.NF_DROP), hook=nftables.NF_INET_LOCAL_IN)).open_up() == 0


def test_withdrawing_deletes_our_rules_only() -> None:
    ruleset = FakeRuleset((2, "filter", nftables.NF_DROP))
    ruleset.rules["filter"].append(b"\0\x07theirs\0")
    own = foreign(ruleset)
    own.open_up()
    own.withdraw()
    assert ruleset.rules["filter"] == [b"deleted", b"deleted", b"\0\x07theirs\0"]
