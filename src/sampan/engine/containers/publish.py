"""The ports of a container: which to publish, and how inspect and list show them; pure."""

from sampan.api.wire.container import PortSummary
from sampan.api.wire.network import PortBinding as WireBinding
from sampan.api.wire.network import PortMap
from sampan.engine.containers.record import ContainerRecord
from sampan.network.values import Endpoint, PortBinding


def port_bindings(record: ContainerRecord) -> list[PortBinding]:
    """What the network is asked to publish; -P adds every exposed port that -p does not name."""
    found: list[PortBinding] = []
    asked: PortMap = {_full(port): bindings for port, bindings in (record.host.port_bindings or {}).items()}
    if record.host.publish_all_ports:
        exposed: PortMap = {_full(port): None for port in record.config.exposed_ports}
        asked = exposed | asked
    for port, bindings in asked.items():
        for binding in bindings or [WireBinding()]:
            found.append(PortBinding.parse(port, host_ip=binding.host_ip, host_port=binding.host_port))
    return found


def port_map(record: ContainerRecord, endpoint: Endpoint | None) -> PortMap:
    """NetworkSettings.Ports: of a running container only; null for ports that are exposed but not published."""
    if endpoint is None:
        return {}
    published = endpoint.ports
    exposed = {_full(port) for port in (*record.config.exposed_ports, *(record.host.port_bindings or {}))}
    return {
        port: [WireBinding(host_ip=ip, host_port=str(number)) for ip, number in published[port]]
        if port in published
        else None
        for port in sorted(exposed | published.keys())
    }


def port_summaries(record: ContainerRecord, endpoint: Endpoint | None) -> list[PortSummary]:
    """The `Ports` of a list entry."""
    found: list[PortSummary] = []
    for port, bindings in port_map(record, endpoint).items():
        number, _, protocol = port.partition("/")
        if bindings is None:
            found.append(PortSummary(private_port=int(number), type=protocol))
        for binding in bindings or ():
            public = int(binding.host_port)
            found.append(PortSummary(ip=binding.host_ip, private_port=int(number), public_port=public, type=protocol))
    return found


def _full(port: str) -> str:
    return port if "/" in port else f"{port}/tcp"
