"""The files below /etc are what Docker would write."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.engine import hostfiles
from sampan.engine.containers.record import ContainerRecord
from sampan.engine.host import HostFacts
from sampan.engine.hostfiles import add_own_address, resolv_text, write

USUAL = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


@dataclass(frozen=True)
class Endpoint:
    ip_address: str
    gateway: str


def host(**options: Any) -> HostConfig:
    return msgspec.convert(options, HostConfig)


def record(*, domain: str = "", **options: Any) -> ContainerRecord:
    return ContainerRecord(
        id="c",
        name="name",
        created_ns=1,
        image_id="sha256:0",
        path="sh",
        args=[],
        config=ContainerConfig(hostname="hh", domainname=domain),
        host=host(**options),
        networking=NetworkingConfig(),
        mounts=[],
    )


def facts(tmp_path: Path, resolv: str = "nameserver 10.0.0.1\n") -> HostFacts:
    path = tmp_path / "host-resolv.conf"
    path.write_text(resolv)
    return HostFacts(hostname="vm", resolv_conf_path=str(path))


def test_hosts_has_the_usual_names_the_extra_ones_and_its_own(tmp_path: Path) -> None:
    container = record(domain="dd.ex", ExtraHosts=["a:1.2.3.4", "six:[::2]"])
    write(str(tmp_path), container, facts(tmp_path))
    assert (tmp_path / "hosts").read_text() == USUAL + "1.2.3.4\ta\n::2\tsix\n"
    add_own_address(str(tmp_path), container, Endpoint("172.17.0.8", "172.17.0.1"))
    assert (tmp_path / "hosts").read_text() == USUAL + "1.2.3.4\ta\n::2\tsix\n172.17.0.8\thh.dd.ex hh\n"


def test_host_gateway_is_the_gateway_of_the_network(tmp_path: Path) -> None:
    container = record(ExtraHosts=["up:host-gateway"])
    write(str(tmp_path), container, facts(tmp_path))
    assert (tmp_path / "hosts").read_text() == USUAL
    add_own_address(str(tmp_path), container, Endpoint("10.1.1.2", "10.1.1.1"))
    assert (tmp_path / "hosts").read_text() == USUAL + "10.1.1.1\tup\n10.1.1.2\thh\n"


def test_files_are_written_in_place_and_readable_by_all(tmp_path: Path) -> None:
    container = record()
    write(str(tmp_path), container, facts(tmp_path))
    inodes = {name: (tmp_path / name).stat().st_ino for name in ("hosts", "hostname", "resolv.conf")}
    previous = os.umask(0o077)
    try:
        write(str(tmp_path), container, facts(tmp_path))
    finally:
        os.umask(previous)
    assert inodes == {name: (tmp_path / name).stat().st_ino for name in inodes}
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in inodes} == {0o644}
    assert (tmp_path / "hostname").read_text() == "hh\n"


def test_without_a_network_there_is_no_own_address(tmp_path: Path) -> None:
    write(str(tmp_path), record(), facts(tmp_path))
    add_own_address(str(tmp_path), record(), None)
    add_own_address(str(tmp_path), record(), Endpoint("", ""))
    assert (tmp_path / "hosts").read_text() == USUAL


def test_in_the_hosts_network_its_own_resolver_can_be_reached(tmp_path: Path) -> None:
    container = record(NetworkMode="host", ExtraHosts=["a:1.2.3.4"])
    write(str(tmp_path), container, facts(tmp_path, "nameserver 127.0.0.53\n"))
    assert (tmp_path / "hosts").read_text() == USUAL + "1.2.3.4\ta\n"
    assert "nameserver 127.0.0.53\n" in (tmp_path / "resolv.conf").read_text()


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_servers_that_cannot_be_reached_are_left_out() -> None:
    text = "# comment\nnameserver 127.0.0.1\nnameserver fe80::1\nnameserver 10.0.0.1 # x\nsearch a b\nsearch c\n"
    assert lines(resolv_text(text, host())) == ["nameserver 10.0.0.1", "search c"]
    assert lines(resolv_text("nameserver ::1\n", host())) == ["nameserver 8.8.8.8", "nameserver 8.8.4.4"]


def test_options_of_the_container_win() -> None:
    text = "nameserver 10.0.0.1\nsearch a\noptions ndots:1 rotate\n"
    asked = host(Dns=["127.0.0.1"], DnsSearch=["foo", "bar"], DnsOptions=["ndots:2"])
    assert lines(resolv_text(text, asked)) == ["nameserver 127.0.0.1", "search foo bar", "options ndots:2"]
    assert lines(resolv_text(text, host(DnsSearch=["."]))) == ["nameserver 10.0.0.1", "options ndots:1 rotate"]


def test_behind_systemd_resolved_the_real_servers_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resolved").write_text("nameserver 10.7.7.7\n")
    monkeypatch.setattr(hostfiles, "_RESOLVED_CONF", str(tmp_path / "resolved"))
    write(str(tmp_path), record(), facts(tmp_path, "nameserver 127.0.0.53\n"))
    assert lines((tmp_path / "resolv.conf").read_text()) == ["nameserver 10.7.7.7"]


def test_a_host_without_resolv_conf_gives_the_fallback(tmp_path: Path) -> None:
    nothing = HostFacts(hostname="vm", resolv_conf_path=str(tmp_path / "missing"))
    write(str(tmp_path), record(), nothing)
    assert lines((tmp_path / "resolv.conf").read_text())[0] == "nameserver 8.8.8.8"
