import errno

from sampan.linux import conntrack, netlink
from sampan.linux.netlink import Message, attribute, attributes, nested


def entry(protocol: int, port: int, *, number: int) -> Message:
    proto = nested(2, attribute(1, bytes([protocol])), attribute(2, b"\x0f\xa0"), attribute(3, port.to_bytes(2, "big")))
    addresses = nested(1, attribute(1, bytes(4)), attribute(2, bytes(4)))
    payload = bytes([2, 0, 0, 0]) + nested(1, addresses, proto) + netlink.be32(conntrack.CTA_ID, number)
    return Message(0x100, 0, payload)


class FakeSocket:
    """A table of connections, one of which has ended by the time it is to be deleted."""

    def __init__(self, *entries: Message, ended: int = -1) -> None:
        self._entries = entries
        self._ended = ended
        self.deleted: list[int] = []

    def dump(self, message: Message) -> list[Message]:
        assert message.kind == conntrack.IPCTNL_MSG_CT_GET
        return list(self._entries)

    def request(self, messages: list[Message]) -> list[Message]:
        (message,) = messages
        assert message.kind == conntrack.IPCTNL_MSG_CT_DELETE
        number = int.from_bytes(dict(attributes(message.payload, 4))[conntrack.CTA_ID], "big")
        if number == self._ended:
            raise OSError(errno.ENOENT, "No such file or directory")
        self.deleted.append(number)
        return []


def test_only_udp_entries_of_the_ports_are_deleted() -> None:
    sock = FakeSocket(entry(17, 53, number=1), entry(6, 53, number=2), entry(17, 54, number=3), entry(17, 55, number=4))
    assert conntrack.forget_udp(sock, {53, 55}) == 2  # type: ignore[arg-type]
    assert sock.deleted == [1, 4]


def test_an_entry_that_ended_meanwhile_is_no_error() -> None:
    sock = FakeSocket(entry(17, 53, number=1), entry(17, 53, number=2), ended=1)
    assert conntrack.forget_udp(sock, {53}) == 1  # type: ignore[arg-type]
