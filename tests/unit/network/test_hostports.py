"""Real sockets on 127.0.0.0/8 only."""

import socket
from collections.abc import Iterator

import pytest

from sampan import errors
from sampan.network.hostports import HostPorts
from sampan.network.values import PortBinding, PublishedPort

INSIDE = "10.82.0.2"
LOCAL = "127.82.0.1"


@pytest.fixture
def ports() -> Iterator[HostPorts]:
    first = _free_row(20)
    opened = HostPorts((first, first + 19))
    yield opened
    opened.close()


def _free_row(count: int) -> int:
    """The first of so many neighbouring ports that nobody has on our address."""
    for first in range(20000, 30000, count):
        tried = []
        try:
            for port in range(first, first + count):
                tried.append(_taken(port))
            return first
        except OSError:
            continue
        finally:
            for each in tried:
                each.close()
    raise AssertionError("no free ports")


def _taken(port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.bind((LOCAL, port))
    except OSError:
        sock.close()
        raise
    return sock


def any_port(protocol: str = "tcp") -> PortBinding:
    return PortBinding(80, protocol, LOCAL)


def fixed(first: int, last: int = 0, *, host_ip: str = LOCAL) -> PortBinding:
    return PortBinding(80, "tcp", host_ip, first, last or first)


def test_random_ports_go_up_and_come_round(ports: HostPorts) -> None:
    first = ports.claim(any_port(), INSIDE)
    second = ports.claim(any_port(), INSIDE)
    assert second.host_port == first.host_port + 1
    ports.release(first)
    rest = [ports.claim(any_port(), INSIDE) for _ in range(18)]
    assert first not in rest
    assert ports.claim(any_port(), INSIDE) == first
    with pytest.raises(errors.Internal, match="all ports are allocated"):
        ports.claim(any_port(), INSIDE)


def test_a_claimed_port_is_named_with_its_holder(ports: HostPorts) -> None:
    held = ports.claim(any_port(), INSIDE)
    with pytest.raises(errors.Internal, match=f"^Bind for {LOCAL}:{held.host_port} failed: port is already allocated$"):
        ports.claim(fixed(held.host_port, host_ip="0.0.0.0"), INSIDE)
    other_address = ports.claim(fixed(held.host_port, host_ip="127.82.0.2"), INSIDE)
    assert other_address.host_port == held.host_port
    ports.claim(PortBinding(80, "udp", LOCAL, held.host_port, held.host_port), INSIDE)


def test_a_range_gives_its_first_port_that_is_free_to_us_and_to_others(ports: HostPorts) -> None:
    start = ports.claim(any_port(), INSIDE).host_port
    with _taken(start + 1):
        assert ports.claim(fixed(start, start + 2), INSIDE).host_port == start + 2
        with pytest.raises(errors.Internal, match="all ports are allocated"):
            ports.claim(fixed(start, start + 2), INSIDE)


def test_a_port_of_another_program_is_refused_in_dockers_words(ports: HostPorts) -> None:
    port = ports.claim(any_port(), INSIDE).host_port + 1
    with _taken(port), pytest.raises(errors.Internal) as refused:
        ports.claim(fixed(port), INSIDE)
    assert str(refused.value) == f"failed to bind host port for {LOCAL}:{port}:{INSIDE}:80/tcp: address already in use"


def test_an_address_that_is_not_ours_is_refused_at_once(ports: HostPorts) -> None:
    with pytest.raises(errors.Internal, match=r"192.0.2.99:4000:10.82.0.2:80/tcp: cannot assign requested address"):
        ports.claim(fixed(4000, 4001, host_ip="192.0.2.99"), INSIDE)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_claimed_port_is_held_until_it_is_released(ports: HostPorts, protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    held = ports.claim(any_port(protocol), INSIDE)
    with pytest.raises(OSError):
        _taken(held.host_port, kind)
    ports.release(held)
    ports.release(held)
    _taken(held.host_port, kind).close()


def test_a_claimed_tcp_port_does_not_listen(ports: HostPorts) -> None:
    held = ports.claim(any_port(), INSIDE)
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect((LOCAL, held.host_port))


def test_closed_connections_of_an_earlier_server_are_not_in_the_way(ports: HostPorts) -> None:
    probe = ports.claim(any_port(), INSIDE)
    ports.release(probe)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOCAL, probe.host_port))
        server.listen()
        with socket.create_connection((LOCAL, probe.host_port)) as client:
            accepted, _ = server.accept()
            accepted.close()  # the side that closes first keeps the port in TIME_WAIT
            assert client.recv(1) == b""
    assert ports.claim(fixed(probe.host_port), INSIDE) == probe
    with pytest.raises(OSError):
        _taken(probe.host_port)


def test_ports_of_an_earlier_daemon_are_claimed_again_even_if_somebody_took_them(ports: HostPorts) -> None:
    free, taken = (ports.claim(any_port(), INSIDE) for _ in range(2))
    ports.close()
    again = HostPorts()
    with _taken(taken.host_port):
        assert again.restore(free)
        assert not again.restore(taken)
    with pytest.raises(errors.Internal, match="port is already allocated"):
        again.claim(fixed(taken.host_port), INSIDE)
    again.close()


def test_a_published_port_knows_where_it_leads(ports: HostPorts) -> None:
    held = ports.claim(PortBinding(8080, "udp", LOCAL), INSIDE)
    assert (held.container_port, held.protocol, held.host_ip) == (8080, "udp", LOCAL)
    assert held == PublishedPort(8080, "udp", LOCAL, held.host_port)
