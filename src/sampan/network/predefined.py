"""The networks every daemon has: bridge, host and none; and which subnet the default bridge gets."""

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Interface, IPv4Network, NetmaskValueError

from sampan import errors
from sampan.base.ids import new_id
from sampan.network import ipam
from sampan.network.values import Network

BRIDGE, HOST, NONE = "bridge", "host", "none"
_DRIVERS = {BRIDGE: "bridge", HOST: "host", NONE: "null"}

# IFNAMSIZ with its terminating zero; what the kernel and /proc/sys take.
_INTERFACE_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,15}")


def make(name: str, created_ns: int) -> Network:
    """A predefined network with a fresh id."""
    return Network(new_id(), name, _DRIVERS[name], created_ns)


def bridge_options(interface: str, mtu: int) -> dict[str, str]:
    """The options that Docker shows of its default bridge."""
    prefix = "com.docker.network"
    return {
        f"{prefix}.bridge.default_bridge": "true",
        f"{prefix}.bridge.enable_icc": "true",
        f"{prefix}.bridge.enable_ip_masquerade": "true",
        f"{prefix}.bridge.host_binding_ipv4": "0.0.0.0",
        f"{prefix}.bridge.name": interface,
        f"{prefix}.driver.mtu": str(mtu),
    }


def check_interface_name(name: str) -> str:
    if not _INTERFACE_NAME.fullmatch(name):
        raise errors.InvalidArgument(f"invalid bridge name {name!r}")
    return name


def parse_bip(bip: str) -> IPv4Interface:
    """The bridge's address and subnet, "172.20.0.1/16"."""
    try:
        found = IPv4Interface(bip)
    except (AddressValueError, NetmaskValueError) as error:
        raise errors.InvalidArgument(f"invalid bridge address {bip!r}: {error}") from error
    network = found.network
    if "/" not in bip or network.prefixlen > 30 or found.ip in (network.network_address, network.broadcast_address):
        raise errors.InvalidArgument(f"invalid bridge address {bip!r}: not a host's address in a subnet")
    return found


def choose_gateway(
    record: Network, *, present: Iterable[IPv4Interface], occupied: Iterable[IPv4Interface]
) -> IPv4Interface:
    """The default bridge's address: the one it has, else the one it had unless now in the way, else an elected one."""
    for address in present:
        return address
    networks = [each.network for each in occupied]
    if record.subnet:
        remembered = IPv4Interface(f"{record.gateway}/{IPv4Network(record.subnet).prefixlen}")
        if not any(remembered.network.overlaps(other) for other in networks):
            return remembered
    subnet = ipam.elect_subnet(networks)
    return IPv4Interface((subnet.network_address + 1, subnet.prefixlen))
