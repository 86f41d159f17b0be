from sampan.linux import nfexpr
from sampan.linux.netlink import attributes


def parts(expression: bytes) -> tuple[str, dict[int, bytes]]:
    ((_, element),) = attributes(expression)
    values = dict(attributes(element))
    name = values[nfexpr.NFTA_EXPR_NAME].rstrip(b"\0").decode()
    return name, dict(attributes(values[nfexpr.NFTA_EXPR_DATA]))


def number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def test_registers_are_counted_in_32_bit_units() -> None:
    name, values = parts(nfexpr.payload(nfexpr.NFT_PAYLOAD_NETWORK_HEADER, 16, 4, into=1))
    assert name == "payload"
    assert {kind: number(value) for kind, value in values.items()} == {1: 9, 2: 1, 3: 16, 4: 4}


def test_an_interface_is_compared_with_its_terminating_zeros() -> None:
    rule = nfexpr.interface(nfexpr.NFT_META_OIFNAME, nfexpr.NFT_CMP_NEQ, "smpn0")
    (_, meta), (_, compare) = attributes(rule)
    assert b"meta\0" in meta
    assert b"smpn0" + bytes(11) in compare and b"cmp\0" in compare


def test_a_mask_leaves_the_other_bits_zero() -> None:
    name, values = parts(nfexpr.bitwise_and(b"\xff\xff\x00\x00"))
    assert name == "bitwise"
    assert values[1] == values[2]
    assert values[4].endswith(b"\xff\xff\x00\x00") and values[5].endswith(bytes(4))


def test_a_jump_names_its_chain_and_an_acceptance_has_none() -> None:
    _, jump = parts(nfexpr.verdict(nfexpr.NFT_JUMP, chain="publish"))
    _, accept = parts(nfexpr.verdict(nfexpr.NF_ACCEPT))
    assert b"publish\0" in jump[2] and b"\xff\xff\xff\xfd" in jump[2]
    assert accept[2].endswith(b"\0\0\0\1")


def test_dnat_takes_address_and_port_from_registers() -> None:
    name, values = parts(nfexpr.dnat(address=8, port=9))
    assert (name, number(values[3]), number(values[5])) == ("nat", 16, 17)


def test_actions_without_arguments_are_bare() -> None:
    assert parts(nfexpr.masquerade()) == ("masq", {})
    assert parts(nfexpr.counter()) == ("counter", {})
