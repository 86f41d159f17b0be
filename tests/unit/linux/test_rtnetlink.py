from collections.abc import Iterator

import pytest

from sampan.linux import netlink, rtnetlink
from sampan.linux.netlink import attributes

MAC = bytes.fromhex("02420a520002")


def decoded(message: netlink.Message, header_bytes: int = 16) -> dict[int, bytes]:
    return dict(attributes(message.payload, header_bytes))


def test_a_veth_names_its_bridge_and_carries_its_peer() -> None:
    message = rtnetlink.new_veth("smpv", master=7, mtu=1400, peer="eth0", peer_mac=MAC, peer_netns_fd=12)
    assert message.kind == rtnetlink.RTM_NEWLINK
    assert message.flags == netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
    values = decoded(message)
    assert values[rtnetlink.IFLA_IFNAME] == b"smpv\0"
    assert netlink.integer(values[rtnetlink.IFLA_MASTER]) == 7
    info = dict(attributes(values[rtnetlink.IFLA_LINKINFO]))
    assert info[rtnetlink.IFLA_INFO_KIND] == b"veth\0"
    peer = dict(attributes(dict(attributes(info[rtnetlink.IFLA_INFO_DATA]))[rtnetlink.VETH_INFO_PEER], 16))
    assert peer[rtnetlink.IFLA_IFNAME] == b"eth0\0"
    assert peer[rtnetlink.IFLA_ADDRESS] == MAC
    assert netlink.integer(peer[rtnetlink.IFLA_NET_NS_FD]) == 12
    assert netlink.integer(peer[rtnetlink.IFLA_MTU]) == 1400


def test_setting_up_changes_no_other_flag() -> None:
    assert rtnetlink.set_up(3).payload == b"\0\0\0\0\3\0\0\0\1\0\0\0\1\0\0\0"


def test_setting_down_changes_no_other_flag() -> None:
    assert rtnetlink.set_down("smpv").payload[:16] == b"\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0"


def test_an_address_has_its_broadcast() -> None:
    message = rtnetlink.new_address(2, b"\x0a\x52\x00\x02", 24, broadcast=b"\x0a\x52\x00\xff")
    assert message.payload[:8] == b"\x02\x18\x00\x00\x02\x00\x00\x00"
    values = decoded(message, 8)
    assert values[rtnetlink.IFA_LOCAL] == values[rtnetlink.IFA_ADDRESS] == b"\x0a\x52\x00\x02"
    assert values[rtnetlink.IFA_BROADCAST] == b"\x0a\x52\x00\xff"


def test_a_link_moves_and_is_renamed_in_one_message() -> None:
    message = rtnetlink.move_link(5, 12, "lan")
    assert message.payload[:16] == b"\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0"
    values = decoded(message)
    assert netlink.integer(values[rtnetlink.IFLA_NET_NS_FD]) == 12
    assert values[rtnetlink.IFLA_IFNAME] == b"lan\0"


def test_a_copied_address_is_the_same_but_for_its_interface_and_label() -> None:
    label = 3  # IFA_LABEL
    found = rtnetlink.new_address(2, b"\x0a\x52\x00\x02", 24, broadcast=b"\x0a\x52\x00\xff")
    found.payload += netlink.text(label, "eth0") + netlink.u32(rtnetlink.IFA_FLAGS, 0x280)
    copy = rtnetlink.copy_address(9, found)
    assert copy.payload[:8] == b"\x02\x18\x00\x00\x09\x00\x00\x00"
    values = decoded(copy, 8)
    assert values.pop(rtnetlink.IFA_FLAGS) == b"\x80\x02\0\0"
    assert values == {kind: value for kind, value in decoded(found, 8).items() if kind in (1, 2, 4)}


def test_the_default_route_needs_only_a_gateway() -> None:
    message = rtnetlink.new_default_route(b"\x0a\x52\x00\x01")
    assert message.payload == b"\x02\0\0\0\xfe\x03\0\x01\0\0\0\0" + b"\x08\0\x05\0\x0a\x52\x00\x01"


def test_a_link_is_read_from_the_kernels_description() -> None:
    described = rtnetlink.new_veth("smpv", master=7, mtu=1400, peer="eth0", peer_mac=MAC, peer_netns_fd=12)
    described.payload += netlink.attribute(rtnetlink.IFLA_ADDRESS, MAC) + netlink.u32(rtnetlink.IFLA_LINK, 9)
    found = rtnetlink.link([described])
    assert (found.name, found.kind, found.master, found.mtu, found.mac) == ("smpv", "veth", 7, 1400, MAC)
    assert found.is_up and found.peer == 9
    assert "smpv" in repr(found)


@pytest.fixture
def sock() -> Iterator[netlink.Socket]:
    with netlink.Socket(netlink.NETLINK_ROUTE) as opened:
        yield opened


def test_the_loopback_interface_is_found_and_a_missing_one_is_none(sock: netlink.Socket) -> None:
    found = rtnetlink.find_link(sock, "lo")
    assert found is not None and found.index == rtnetlink.LOOPBACK_INDEX
    assert rtnetlink.find_link(sock, "smpn-missing") is None
    assert "lo" in [link.name for link in rtnetlink.list_links(sock)]


def test_addresses_and_routes_of_the_host_are_listed(sock: netlink.Socket) -> None:
    loopback = [each for each in rtnetlink.list_addresses(sock) if each.index == rtnetlink.LOOPBACK_INDEX]
    assert (b"\x7f\0\0\1", 8) in [(each.address, each.prefix_length) for each in loopback]
    with open("/proc/net/route") as file:
        expected = sum(1 for line in file) - 1
    assert len(rtnetlink.list_routes(sock)) == expected
