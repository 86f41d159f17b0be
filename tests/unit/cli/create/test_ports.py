import re

import pytest

from sampan.cli.create import ports
from sampan.errors import InvalidArgument


def bound(*specs: str) -> dict[str, list[tuple[str, str]]]:
    _, bindings = ports.publish(list(specs))
    return {port: [(one["HostIp"], one["HostPort"]) for one in its] for port, its in bindings.items()}


@pytest.mark.parametrize(
    ("spec", "bindings"),
    [
        ("80", {"80/tcp": [("", "")]}),
        ("8080:80", {"80/tcp": [("", "8080")]}),
        ("8080:80/UDP", {"80/udp": [("", "8080")]}),
        ("127.0.0.1:8080:80", {"80/tcp": [("127.0.0.1", "8080")]}),
        ("127.0.0.1::80", {"80/tcp": [("127.0.0.1", "")]}),
        ("[::1]:1:2", {"2/tcp": [("::1", "1")]}),
        ("::1:1:2", {"2/tcp": [("::1", "1")]}),
        ("9000-9001:90-91", {"90/tcp": [("", "9000")], "91/tcp": [("", "9001")]}),
        ("8000-8010:80", {"80/tcp": [("", "8000-8010")]}),
        ("90-91", {"90/tcp": [("", "")], "91/tcp": [("", "")]}),
        ("published=80,target=81,protocol=udp", {"81/udp": [("", "80")]}),
    ],
)
def test_a_published_port_is_read(spec: str, bindings: dict[str, list[tuple[str, str]]]) -> None:
    assert bound(spec) == bindings


def test_one_container_port_may_have_several_host_ports() -> None:
    assert bound("1:80", "2:80") == {"80/tcp": [("", "1"), ("", "2")]}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("80:x", "invalid containerPort: x"),
        ("99999999:80", "invalid hostPort: 99999999"),
        ("80-81:80-82", "invalid ranges specified for container and host Ports: 80-82 and 80-81"),
        ("1.2.3:80:80", "invalid IP address: 1.2.3"),
        ("80:80/foo", "invalid proto: foo"),
        ("80:", "no port specified: 80:<empty>"),
        ("a=b,c", "invalid publish opts format (should be name=value but got 'c')"),
    ],
)
def test_a_bad_port_is_refused_in_dockers_words(spec: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{re.escape(message)}$"):
        ports.publish([spec])


def test_exposed_ports_name_no_host_port() -> None:
    assert ports.expose(["1-2", "3/udp"]) == {"1/tcp": {}, "2/tcp": {}, "3/udp": {}}
    with pytest.raises(InvalidArgument, match="invalid port format for --expose: 1:2"):
        ports.expose(["1:2"])
