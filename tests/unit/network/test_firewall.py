"""What the firewall sends, recorded; that it means what it should is for the integration tests to show."""

import errno
from ipaddress import IPv4Network

from sampan.linux import conntrack, nftables
from sampan.linux.netlink import Message, attributes
from sampan.network.firewall import PUBLISHED_ANY, PUBLISHED_AT, Firewall
from sampan.network.values import Endpoint, PublishedPort


class FakeSocket:
    """Keeps batches; refuses the next one when told to."""

    def __init__(self) -> None:
        self.batches: list[list[Message]] = []
        self.refusal: OSError | None = None

    def batch(self, messages: list[Message]) -> None:
        if self.refusal:
            refusal, self.refusal = self.refusal, None
            raise refusal
        self.batches.append(messages)

    def dump(self, message: Message) -> list[Message]:
        assert message.kind == conntrack.IPCTNL_MSG_CT_GET
        return []

    def kinds(self) -> list[int]:
        return [message.kind for message in self.batches[-1][1:-1]]

    def elements(self) -> dict[str, int]:
        """How many elements the last batch has, by map."""
        found = {}
        for message in self.batches[-1]:
            if message.kind in (nftables.NFT_MSG_NEWSETELEM, nftables.NFT_MSG_DELSETELEM):
                values = dict(attributes(message.payload, 4))
                found[values[2].rstrip(b"\0").decode()] = len(list(attributes(values[3])))
        return found


def endpoint(*published: PublishedPort) -> Endpoint:
    return Endpoint("c", "n", "bridge", "e", "10.82.0.2", 24, published=published)


WEB = endpoint(PublishedPort(80, "tcp", "0.0.0.0", 8080), PublishedPort(53, "udp", "127.0.0.1", 53))


def firewall() -> tuple[Firewall, FakeSocket]:
    sock = FakeSocket()
    return Firewall("smpn0", IPv4Network("10.82.0.0/24"), sock), sock  # type: ignore[arg-type]


def test_publishing_is_one_batch_of_elements_only() -> None:
    own, sock = firewall()
    own.publish(WEB)
    assert len(sock.batches) == 1
    assert sock.kinds() == [nftables.NFT_MSG_NEWSETELEM] * 2
    assert sock.elements() == {PUBLISHED_ANY: 1, PUBLISHED_AT: 1}


def test_withdrawing_takes_the_same_elements_once() -> None:
    own, sock = firewall()
    own.publish(WEB)
    own.withdraw(WEB)
    assert sock.kinds() == [nftables.NFT_MSG_DELSETELEM] * 2
    own.withdraw(WEB)
    assert len(sock.batches) == 2, "nothing was left to withdraw"


def test_a_rebuild_replaces_the_table_and_keeps_what_is_published() -> None:
    own, sock = firewall()
    own.publish(WEB)
    own.rebuild()
    assert sock.kinds()[:3] == [nftables.NFT_MSG_NEWTABLE, nftables.NFT_MSG_DELTABLE, nftables.NFT_MSG_NEWTABLE]
    assert sock.elements() == {PUBLISHED_ANY: 1, PUBLISHED_AT: 1}
    own.rebuild([])
    assert sock.elements() == {}


def test_a_change_to_a_table_that_has_gone_builds_it_again() -> None:
    own, sock = firewall()
    own.publish(WEB)
    sock.refusal = OSError(errno.ENOENT, "gone")
    own.withdraw(WEB)
    assert nftables.NFT_MSG_NEWTABLE in sock.kinds()
    assert sock.elements() == {}
