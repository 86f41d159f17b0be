from ipaddress import IPv4Interface

import pytest

from sampan import errors
from sampan.network.values import Endpoint, PortBinding, PublishedPort, parse_mac


@pytest.mark.parametrize(
    ("port", "host_ip", "host_port", "expected"),
    [
        ("80/tcp", "", "8080", PortBinding(80, "tcp", "0.0.0.0", 8080, 8080)),
        ("53/UDP", "127.0.0.1", "", PortBinding(53, "udp", "127.0.0.1", 0, 0)),
        ("80", "", "8000-8010", PortBinding(80, "tcp", "0.0.0.0", 8000, 8010)),
        ("132/sctp", "", "0", PortBinding(132, "sctp", "0.0.0.0", 0, 0)),
    ],
)
def test_a_binding_is_read_from_the_apis_notation(
    port: str, host_ip: str, host_port: str, expected: PortBinding
) -> None:
    assert PortBinding.parse(port, host_ip=host_ip, host_port=host_port) == expected


@pytest.mark.parametrize(
    ("port", "host_port"),
    [("80/icmp", ""), ("0/tcp", ""), ("x", ""), ("80", "70000"), ("80", "9-8"), ("80", "-1"), ("80", "8a"), ("٣", "")],
)
def test_a_bad_port_is_refused(port: str, host_port: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="invalid port specification"):
        PortBinding.parse(port, host_ip="", host_port=host_port)


def test_the_ports_of_an_endpoint_are_listed_by_container_port() -> None:
    published = (PublishedPort(80, "tcp", "0.0.0.0", 8080), PublishedPort(80, "tcp", "127.0.0.1", 81))
    endpoint = Endpoint("c", "n", "bridge", "e", "10.82.0.2", 24, published=published)
    assert endpoint.ports == {"80/tcp": [("0.0.0.0", 8080), ("127.0.0.1", 81)]}
    assert endpoint.interface == IPv4Interface("10.82.0.2/24")


def test_a_hardware_address_is_checked_and_normalised() -> None:
    assert parse_mac("02-42-AC-11-00-02") == parse_mac("02:42:ac:11:00:02") == "02:42:ac:11:00:02"
    for wrong in ("", "02:42", "02:42-ac:11:00:02", "02:42:ac:11:00:0g", "02:42:ac:11:00:02:03"):
        with pytest.raises(errors.InvalidArgument, match="invalid MAC address"):
            parse_mac(wrong)
