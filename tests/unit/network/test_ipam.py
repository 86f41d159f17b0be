from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan import errors
from sampan.network.ipam import Pool, default_subnets, elect_subnet


def pool(text: str = "10.82.0.1/29") -> Pool:
    return Pool(IPv4Interface(text))


def test_addresses_are_given_from_the_lowest_and_never_the_gateways() -> None:
    own = pool("10.82.0.2/29")
    assert [str(own.take()) for _ in range(5)] == [f"10.82.0.{last}" for last in (1, 3, 4, 5, 6)]


def test_a_full_pool_says_so_and_a_released_address_is_given_again() -> None:
    own = pool()
    given_out = [own.take() for _ in range(5)]
    with pytest.raises(errors.ResourceExhausted, match="no available IPv4 addresses"):
        own.take()
    own.release(given_out[2])
    own.release(given_out[2])
    assert own.take() == given_out[2]
    with pytest.raises(errors.ResourceExhausted):
        own.take()


def test_a_claimed_address_is_skipped_and_cannot_be_claimed_again() -> None:
    own = pool()
    own.claim(IPv4Address("10.82.0.2"))
    with pytest.raises(errors.Conflict, match="Address already in use"):
        own.claim(IPv4Address("10.82.0.2"))
    assert own.take() == IPv4Address("10.82.0.3")


@pytest.mark.parametrize("address", ["10.82.0.0", "10.82.0.7", "10.83.0.2"])
def test_what_is_no_address_for_an_endpoint_is_refused(address: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        pool().claim(IPv4Address(address))


@given(st.lists(st.one_of(st.none(), st.integers(min_value=2, max_value=14))))
def test_no_address_is_ever_given_twice(steps: list[int | None]) -> None:
    own, held = pool("10.82.0.1/28"), set()
    for step in steps:
        if step is None:
            try:
                taken = own.take()
            except errors.ResourceExhausted:
                assert len(held) == 13
                continue
            assert taken not in held
            held.add(taken)
            continue
        address = IPv4Address(f"10.82.0.{step}")
        if address in held:
            own.release(address)
            held.remove(address)
        else:
            own.claim(address)
            held.add(address)


def test_default_subnets_are_dockers() -> None:
    subnets = [str(subnet) for subnet in default_subnets()]
    assert subnets[:4] == ["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/16"]
    assert subnets[-1] == "192.168.240.0/20"
    assert len(subnets) == 15 + 16


def test_a_subnet_that_overlaps_a_route_is_passed_over() -> None:
    occupied = [IPv4Network("172.17.5.0/24"), IPv4Network("172.18.0.0/15")]
    assert elect_subnet(occupied) == IPv4Network("172.20.0.0/16")
    with pytest.raises(errors.ResourceExhausted, match="fully subnetted"):
        elect_subnet([IPv4Network("0.0.0.0/0")])
