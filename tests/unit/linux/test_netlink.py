import errno
import os

import pytest

from sampan.linux import netlink
from sampan.linux.netlink import Message


def test_an_attribute_is_padded_but_counts_only_its_value() -> None:
    assert netlink.attribute(3, b"eth0\0") == b"\x09\x00\x03\x00eth0\0\0\0\0"
    assert netlink.text(3, "eth0") == netlink.attribute(3, b"eth0\0")
    assert netlink.be32(2, -3) == b"\x08\x00\x02\x00\xff\xff\xff\xfd"


def test_attributes_come_back_in_order_and_without_flags() -> None:
    payload = b"head" + netlink.u32(4, 1500) + netlink.nested(18, netlink.text(1, "veth"))
    (first, mtu), (second, inner) = netlink.attributes(payload, 4)
    assert (first, netlink.integer(mtu), second) == (4, 1500, 18)
    assert list(netlink.attributes(inner)) == [(1, b"veth\0")]


@pytest.mark.parametrize("broken", [b"\x03\x00\x01\x00", b"\x09\x00\x01\x00abcd"])
def test_an_attribute_that_does_not_fit_its_message_is_refused(broken: bytes) -> None:
    with pytest.raises(OSError, match="runs past"):
        list(netlink.attributes(broken))


def test_messages_survive_encoding_and_decoding() -> None:
    sent = [Message(16, 5, b"abcde", sequence=7, port=9), Message(3, 0, b"", sequence=8)]
    received = list(netlink.decode(b"".join(map(netlink.encode, sent))))
    assert [(m.kind, m.flags, m.payload, m.sequence, m.port) for m in received] == [
        (16, 5, b"abcde", 7, 9),
        (3, 0, b"", 8, 0),
    ]


def test_a_message_cut_short_is_refused() -> None:
    with pytest.raises(OSError, match="runs past"):
        list(netlink.decode(netlink.encode(Message(16, 0, b"abcd"))[:-1]))


def _error(code: int, *, flags: int = 0, rest: bytes = b"") -> Message:
    return Message(netlink.NLMSG_ERROR, flags, (-code).to_bytes(4, "little", signed=True) + rest)


def test_an_acknowledgement_is_no_failure() -> None:
    assert netlink.failure(_error(0, rest=bytes(16))) is None


@pytest.mark.parametrize(("capped", "refused"), [(netlink.NLM_F_CAPPED, b""), (0, b"payload!")])
def test_a_failure_carries_the_kernels_explanation(capped: int, refused: bytes) -> None:
    header = netlink.encode(Message(16, 0, refused))
    explained = header + netlink.text(netlink.NLMSGERR_ATTR_MSG, "Device does not allow enslaving")
    found = netlink.failure(_error(errno.EINVAL, flags=netlink.NLM_F_ACK_TLVS | capped, rest=explained))
    assert found is not None
    assert found.errno == errno.EINVAL
    assert found.strerror == f"{os.strerror(errno.EINVAL)}: Device does not allow enslaving"


def test_an_unprivileged_dump_of_links_works() -> None:
    with netlink.Socket(netlink.NETLINK_ROUTE) as sock:
        answers = sock.dump(Message(18, 0, bytes(16)))
    assert any(dict(netlink.attributes(answer.payload, 16)).get(3) == b"lo\0" for answer in answers)


def test_a_refused_message_raises_and_leaves_the_socket_usable() -> None:
    missing = Message(18, 0, bytes(16) + netlink.text(3, "smpn-missing"))
    present = Message(18, 0, bytes(16) + netlink.text(3, "lo"))
    with netlink.Socket(netlink.NETLINK_ROUTE) as sock:
        with pytest.raises(OSError) as refused:
            sock.request([missing, present])
        assert refused.value.errno == errno.ENODEV
        assert len(sock.request([present])) == 1
