from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.api.wire.network import PortBinding as WireBinding
from sampan.engine.containers.publish import port_bindings, port_map, port_summaries
from sampan.engine.containers.record import ContainerRecord
from sampan.network.values import Endpoint, PortBinding, PublishedPort


def record(config: ContainerConfig, host: HostConfig) -> ContainerRecord:
    return ContainerRecord(
        id="c" * 64,
        name="name",
        created_ns=1,
        image_id="sha256:0",
        path="sh",
        args=[],
        config=config,
        host=host,
        networking=NetworkingConfig(),
        mounts=[],
    )


EXPOSING = ContainerConfig(exposed_ports={"80/tcp": {}, "53/udp": {}})
PUBLISHING = HostConfig(port_bindings={"80": [WireBinding(host_ip="127.0.0.1", host_port="8080")], "81/tcp": None})


def test_only_what_is_asked_for_is_published() -> None:
    found = port_bindings(record(EXPOSING, PUBLISHING))
    assert found == [PortBinding(80, "tcp", "127.0.0.1", 8080, 8080), PortBinding(81)]


def test_publish_all_adds_what_is_exposed() -> None:
    found = port_bindings(record(EXPOSING, HostConfig(publish_all_ports=True, port_bindings={"80/tcp": []})))
    assert sorted((port.container_port, port.protocol) for port in found) == [(53, "udp"), (80, "tcp")]


def test_inspect_and_list_tell_exposed_from_published() -> None:
    endpoint = Endpoint("c", "n", "bridge", "e", published=(PublishedPort(80, "tcp", "0.0.0.0", 8080),))
    wanted = record(EXPOSING, HostConfig())
    assert port_map(wanted, endpoint) == {
        "53/udp": None,
        "80/tcp": [WireBinding(host_ip="0.0.0.0", host_port="8080")],
    }
    assert [(port.private_port, port.public_port, port.type) for port in port_summaries(wanted, endpoint)] == [
        (53, 0, "udp"),
        (80, 8080, "tcp"),
    ]
    assert port_map(wanted, None) == {}
