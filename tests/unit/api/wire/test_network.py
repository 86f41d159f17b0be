import json

import pytest

from sampan import errors
from sampan.api.wire.gojson import decode, encode
from sampan.api.wire.network import (
    IPAM,
    EndpointIPAMConfig,
    EndpointSettings,
    IPAMPool,
    NetworkContainer,
    NetworkingConfig,
    NetworkInspect,
    NetworkSettings,
    PortBinding,
)


def test_an_endpoint_that_is_not_connected_has_all_fields_empty() -> None:
    assert json.loads(encode(EndpointSettings())) == {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": None,
        "MacAddress": "",
        "DriverOpts": None,
        "GwPriority": 0,
        "NetworkID": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": None,
    }


def test_what_a_client_asks_of_an_endpoint_is_read() -> None:
    body = (
        b'{"EndpointsConfig":{"net":{"IPAMConfig":{"IPv4Address":"10.0.0.5","LinkLocalIPs":null},"Aliases":["a"],'
        b'"MacAddress":null},"other":null}}'
    )
    found = decode(body, NetworkingConfig).endpoints_config
    assert found is not None
    asked = EndpointSettings(ipam_config=EndpointIPAMConfig(ipv4_address="10.0.0.5"), aliases=["a"])
    assert found == {"net": asked, "other": None}


def test_an_address_that_is_no_text_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match="cannot unmarshal number"):
        decode(b'{"EndpointsConfig":{"net":{"IPAMConfig":{"IPv4Address":5}}}}', NetworkingConfig)


def test_ports_that_are_exposed_only_say_null() -> None:
    ports = {"80/tcp": [PortBinding(host_ip="0.0.0.0", host_port="8080")], "81/tcp": None}
    written = json.loads(encode(NetworkSettings(ports=ports)))
    assert written["Ports"] == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "81/tcp": None}
    assert (written["SandboxID"], written["SecondaryIPv6Addresses"]) == ("", None)
    assert "LinkLocalIPv6PrefixLen" in written


def test_a_network_is_inspected_with_its_pools_and_containers() -> None:
    network = NetworkInspect(
        name="bridge",
        ipam=IPAM(driver="default", config=[IPAMPool(subnet="10.0.0.0/24")]),
        containers={"c": NetworkContainer(name="web", ipv4_address="10.0.0.2/24")},
    )
    written = json.loads(encode(network))
    assert written["IPAM"] == {"Driver": "default", "Options": None, "Config": [{"Subnet": "10.0.0.0/24"}]}
    assert written["Containers"]["c"] == {
        "Name": "web",
        "EndpointID": "",
        "MacAddress": "",
        "IPv4Address": "10.0.0.2/24",
        "IPv6Address": "",
    }
    assert (written["EnableIPv4"], written["ConfigFrom"], written["Labels"]) == (False, {"Network": ""}, {})
