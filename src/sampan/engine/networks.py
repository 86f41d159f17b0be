"""Networks as the API shows them: list and inspect. Containers connect to them when they start."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sampan import errors
from sampan.api.wire.network import IPAM, IPAMPool, NetworkContainer, NetworkInspect
from sampan.base.clock import rfc3339nano
from sampan.engine.containers.registry import Registry
from sampan.network.networks import Networks as NetworkStore
from sampan.network.values import Network

Filters = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class Networks:
    """What the verbs need: the networks, and the containers for their names."""

    store: NetworkStore
    registry: Registry


def list_networks(deps: Networks, filters: Filters) -> list[NetworkInspect]:
    """All networks that pass the filters; like Docker's, the list does not name their containers."""
    return [_shown(network) for network in deps.store.networks() if _accepts(deps, network, filters)]


def inspect_network(deps: Networks, ref: str) -> NetworkInspect:
    """By id, name, or the beginning of an id that only one network has."""
    found = deps.store.networks()
    exact = [network for network in found if ref in (network.id, network.name)]
    matching = exact or [network for network in found if ref and network.id.startswith(ref)]
    if not matching:
        raise errors.NotFound(f"network {ref} not found")
    if len(matching) > 1:
        raise errors.InvalidArgument(f"network {ref} is ambiguous ({len(matching)} matches found on ID prefix)")
    return _shown(matching[0], _containers(deps, matching[0]))


def _containers(deps: Networks, network: Network) -> dict[str, NetworkContainer]:
    found = {}
    for endpoint in deps.store.endpoints():
        container = deps.registry.find(endpoint.container_id)
        if endpoint.network_id == network.id and container is not None:
            address = f"{endpoint.ip_address}/{endpoint.prefix_length}" if endpoint.ip_address else ""
            found[container.id] = NetworkContainer(
                name=container.name,
                endpoint_id=endpoint.endpoint_id,
                mac_address=endpoint.mac_address,
                ipv4_address=address,
            )
    return found


def _shown(network: Network, containers: dict[str, NetworkContainer] | None = None) -> NetworkInspect:
    pools = [IPAMPool(subnet=network.subnet, gateway=network.gateway)] if network.subnet else None
    return NetworkInspect(
        name=network.name,
        id=network.id,
        created=rfc3339nano(network.created_ns),
        scope="local",
        driver=network.driver,
        enable_ipv4=True,
        ipam=IPAM(driver="default", config=pools),
        containers=containers or {},
        options=network.options,
    )


def _accepts(deps: Networks, network: Network, filters: Filters) -> bool:
    return all(
        not values or any(_CHECKS[name](deps, network, value) for value in values) for name, values in filters.items()
    )


def _of_type(deps: Networks, network: Network, value: str) -> bool:
    if value not in ("builtin", "custom"):
        raise errors.InvalidArgument(f"invalid filter: 'type'='{value}'")
    return value == "builtin"


def _is_dangling(deps: Networks, network: Network, value: str) -> bool:
    if value.lower() not in ("1", "true", "0", "false"):
        raise errors.InvalidArgument(f"invalid filter 'dangling=[{value}]'")
    # The predefined networks are in use by definition.
    return value.lower() in ("0", "false")


_CHECKS = {
    "id": lambda deps, network, value: network.id.startswith(value),
    "name": lambda deps, network, value: value in network.name,
    "driver": lambda deps, network, value: network.driver == value,
    "scope": lambda deps, network, value: value == "local",
    "label": lambda deps, network, value: False,
    "type": _of_type,
    "dangling": _is_dangling,
}
