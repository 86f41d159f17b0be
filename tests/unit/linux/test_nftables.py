from sampan.linux import netlink, nftables
from sampan.linux.netlink import Message, attributes
from sampan.linux.nftables import Batch


class Recorder:
    """A socket that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def batch(self, messages: list[Message]) -> None:
        self.sent = messages


def sent(batch: Batch) -> list[Message]:
    recorder = Recorder()
    batch.commit(recorder)  # type: ignore[arg-type]
    return recorder.sent


def values(message: Message) -> dict[int, bytes]:
    return dict(attributes(message.payload, 4))


def test_a_batch_is_framed_for_the_nftables_subsystem() -> None:
    batch = Batch()
    batch.add_table("t")
    begin, table, end = sent(batch)
    assert (begin.kind, begin.payload) == (0x10, b"\0\0\0\x0a")
    assert (end.kind, end.payload) == (0x11, b"\0\0\0\x0a")
    assert table.payload == b"\x02\0\0\0" + netlink.text(1, "t")


def test_an_empty_batch_is_not_sent() -> None:
    batch = Batch()
    batch.add_elements("t", "m", [])
    assert sent(batch) == []


def test_a_base_chain_tells_hook_and_priority() -> None:
    batch = Batch()
    batch.add_base_chain("t", "c", kind="nat", hook=nftables.NF_INET_PRE_ROUTING, priority=-100)
    found = values(sent(batch)[1])
    hook = dict(attributes(found[nftables.NFTA_CHAIN_HOOK]))
    assert hook == {1: b"\0\0\0\0", 2: b"\xff\xff\xff\x9c"}
    assert found[nftables.NFTA_CHAIN_TYPE] == b"nat\0"


def test_the_type_of_a_concatenation_has_six_bits_a_part() -> None:
    batch = Batch()
    batch.add_map("t", "m", key=(nftables.INET_PROTO, nftables.INET_SERVICE), value=(nftables.IPV4_ADDR,))
    found = values(sent(batch)[1])
    assert int.from_bytes(found[nftables.NFTA_SET_KEY_TYPE], "big") == 12 << 6 | 13
    assert int.from_bytes(found[nftables.NFTA_SET_KEY_LEN], "big") == 8
    assert int.from_bytes(found[nftables.NFTA_SET_DATA_TYPE], "big") == 7


def test_the_parts_of_a_key_are_padded_to_registers() -> None:
    assert nftables.concat(b"\x06", b"\x1f\x90") == b"\x06\0\0\0\x1f\x90\0\0"


def test_many_elements_are_spread_over_messages_that_fit_their_length_field() -> None:
    batch = Batch()
    batch.add_elements("t", "m", [(number.to_bytes(8, "big"), bytes(8)) for number in range(1200)])
    messages = sent(batch)[1:-1]
    assert len(messages) == 3
    assert all(len(message.payload) < 0x10000 for message in messages)
    count = sum(len(list(attributes(values(message)[3]))) for message in messages)
    assert count == 1200


def test_a_foreign_rule_goes_to_the_head_with_a_comment_that_nft_shows() -> None:
    batch = Batch()
    chain = nftables.Chain(nftables.NFPROTO_INET, "theirs", "forward", hook=2, policy=0)
    batch.insert_rule(chain, comment="sampan smpn0")
    message = sent(batch)[1]
    assert message.flags == netlink.NLM_F_CREATE
    assert message.payload[0] == nftables.NFPROTO_INET
    assert values(message)[nftables.NFTA_RULE_USERDATA] == b"\0\x0dsampan smpn0\0"


def test_a_notification_is_about_a_table_by_family_and_name() -> None:
    ours = Message(nftables.NFT_MSG_DELRULE, 0, b"\x02\0\0\0" + netlink.text(1, "ours"))
    assert nftables.is_about(ours, "ours")
    assert not nftables.is_about(ours, "others")
    inet = Message(nftables.NFT_MSG_DELRULE, 0, b"\x01\0\0\0" + netlink.text(1, "ours"))
    assert not nftables.is_about(inet, "ours")
    generation = Message(nftables.NFT_MSG_NEWGEN, 0, b"\x02\0\0\0" + netlink.be32(1, 5))
    assert not nftables.is_about(generation, "ours")
