from dataclasses import replace
from ipaddress import IPv4Interface

import pytest

from sampan import errors
from sampan.network import predefined

RECORD = predefined.make("bridge", 0)
REMEMBERED = replace(RECORD, subnet="172.19.0.0/16", gateway="172.19.0.1")


def test_a_predefined_network_has_dockers_driver_and_a_full_id() -> None:
    assert predefined.make("none", 5).driver == "null"
    assert len(RECORD.id) == 64


def test_the_address_that_the_bridge_has_wins() -> None:
    present = IPv4Interface("10.82.0.1/24")
    assert predefined.choose_gateway(REMEMBERED, present=[present], occupied=[]) == present


def test_the_remembered_subnet_comes_next_unless_it_is_in_the_way() -> None:
    other = IPv4Interface("172.17.0.1/16")
    assert str(predefined.choose_gateway(REMEMBERED, present=[], occupied=[other])) == "172.19.0.1/16"
    vpn = IPv4Interface("172.16.0.0/12")
    assert str(predefined.choose_gateway(REMEMBERED, present=[], occupied=[vpn])) == "192.168.0.1/20"


def test_a_first_start_elects() -> None:
    assert str(predefined.choose_gateway(RECORD, present=[], occupied=[])) == "172.17.0.1/16"


@pytest.mark.parametrize("bip", ["172.20.0.1", "172.20.0.0/16", "172.20.255.255/16", "172.20.0.1/31", "x/8", "::1/64"])
def test_a_bridge_address_that_is_none_is_refused(bip: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="invalid bridge address"):
        predefined.parse_bip(bip)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "sixteen-letters!", "x" * 16])
def test_a_bridge_name_that_the_kernel_or_a_path_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="invalid bridge name"):
        predefined.check_interface_name(name)


def test_an_ordinary_bridge_name_passes() -> None:
    assert predefined.check_interface_name("sampan0.5") == "sampan0.5"
    assert predefined.bridge_options("sampan0", 1400)["com.docker.network.driver.mtu"] == "1400"
