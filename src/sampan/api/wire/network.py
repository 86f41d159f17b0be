"""A container's place in networks, as Docker's API 1.51 writes it."""

import msgspec

from sampan.api.wire.gojson import EMPTY_MAP, FLAG, LIST, MAP, NULL, NUMBER, TEXT, Int64, Shape, pascal


class PortBinding(Shape, rename=pascal(host_ip="HostIp")):
    """Where a container's port is published on the host; empty strings leave the choice to the engine."""

    host_ip: str = TEXT
    host_port: str = TEXT


PortMap = dict[str, list[PortBinding] | None]
"""`{"80/tcp": [bindings]}`; in an inspect, null means exposed but not published."""


class EndpointIPAMConfig(
    Shape, rename=pascal(ipv4_address="IPv4Address", ipv6_address="IPv6Address", link_local_ips="LinkLocalIPs")
):
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: list[str] = LIST


class EndpointSettings(
    Shape,
    rename=pascal(
        ipam_config="IPAMConfig",
        network_id="NetworkID",
        endpoint_id="EndpointID",
        ip_address="IPAddress",
        ip_prefix_len="IPPrefixLen",
        ipv6_gateway="IPv6Gateway",
        global_ipv6_address="GlobalIPv6Address",
        global_ipv6_prefix_len="GlobalIPv6PrefixLen",
        dns_names="DNSNames",
    ),
):
    ipam_config: EndpointIPAMConfig | None = NULL
    links: list[str] | None = NULL
    aliases: list[str] | None = NULL
    mac_address: str = TEXT
    driver_opts: dict[str, str] | None = NULL
    gw_priority: Int64 = NUMBER
    network_id: str = TEXT
    endpoint_id: str = TEXT
    gateway: str = TEXT
    ip_address: str = TEXT
    ip_prefix_len: Int64 = NUMBER
    ipv6_gateway: str = TEXT
    global_ipv6_address: str = TEXT
    global_ipv6_prefix_len: Int64 = NUMBER
    dns_names: list[str] | None = NULL


class NetworkingConfig(Shape):
    endpoints_config: dict[str, EndpointSettings | None] | None = NULL


class Address(Shape):
    addr: str = TEXT
    prefix_len: Int64 = NUMBER


class NetworkSettings(
    Shape,
    rename=pascal(
        sandbox_id="SandboxID",
        link_local_ipv6_address="LinkLocalIPv6Address",
        link_local_ipv6_prefix_len="LinkLocalIPv6PrefixLen",
        secondary_ip_addresses="SecondaryIPAddresses",
        secondary_ipv6_addresses="SecondaryIPv6Addresses",
        endpoint_id="EndpointID",
        global_ipv6_address="GlobalIPv6Address",
        global_ipv6_prefix_len="GlobalIPv6PrefixLen",
        ip_address="IPAddress",
        ip_prefix_len="IPPrefixLen",
        ipv6_gateway="IPv6Gateway",
    ),
):
    """Of one container; the fields from `endpoint_id` on repeat the default bridge's endpoint."""

    bridge: str = TEXT
    sandbox_id: str = TEXT
    sandbox_key: str = TEXT
    ports: PortMap = EMPTY_MAP
    hairpin_mode: bool = FLAG
    link_local_ipv6_address: str = TEXT
    link_local_ipv6_prefix_len: int = NUMBER
    secondary_ip_addresses: list[Address] | None = NULL
    secondary_ipv6_addresses: list[Address] | None = NULL
    endpoint_id: str = TEXT
    gateway: str = TEXT
    global_ipv6_address: str = TEXT
    global_ipv6_prefix_len: int = NUMBER
    ip_address: str = TEXT
    ip_prefix_len: int = NUMBER
    ipv6_gateway: str = TEXT
    mac_address: str = TEXT
    networks: dict[str, EndpointSettings | None] = EMPTY_MAP


class NetworkSettingsSummary(Shape):
    networks: dict[str, EndpointSettings | None] = EMPTY_MAP


class IPAMPool(Shape, rename=pascal(ip_range="IPRange", aux_addresses="AuxiliaryAddresses")):
    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    aux_addresses: dict[str, str] = MAP


class IPAM(Shape):
    driver: str = TEXT
    options: dict[str, str] | None = NULL
    config: list[IPAMPool] | None = NULL


class ConfigReference(Shape):
    network: str = TEXT


class NetworkContainer(
    Shape,
    rename=pascal(endpoint_id="EndpointID", ipv4_address="IPv4Address", ipv6_address="IPv6Address"),
):
    """A container's place in a network, as the network's inspect shows it."""

    name: str = TEXT
    endpoint_id: str = TEXT
    mac_address: str = TEXT
    ipv4_address: str = TEXT
    ipv6_address: str = TEXT


class NetworkInspect(Shape, rename=pascal(enable_ipv4="EnableIPv4", enable_ipv6="EnableIPv6", ipam="IPAM")):
    name: str = TEXT
    id: str = TEXT
    created: str = TEXT
    scope: str = TEXT
    driver: str = TEXT
    enable_ipv4: bool = FLAG
    enable_ipv6: bool = FLAG
    ipam: IPAM = msgspec.field(default_factory=IPAM)
    internal: bool = FLAG
    attachable: bool = FLAG
    ingress: bool = FLAG
    config_from: ConfigReference = msgspec.field(default_factory=ConfigReference)
    config_only: bool = FLAG
    containers: dict[str, NetworkContainer] = EMPTY_MAP
    options: dict[str, str] = EMPTY_MAP
    labels: dict[str, str] = EMPTY_MAP
