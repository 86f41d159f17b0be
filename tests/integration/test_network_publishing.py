"""Published ports, the way out, and what must not get in: real packets between network namespaces."""

import json
import os
import socket

import pytest

from sampan import errors
from support import netlab
from support.netlab import Namespace, ask_tcp, ask_udp, command, is_reachable, run_on_own_host, set_sysctl
from support.networking import GATEWAY, bind, join, networks

pytestmark = pytest.mark.needs_root

HOST_ADDRESS = "10.82.200.1"
STRANGER_ADDRESS = "10.82.200.2"


def stranger() -> Namespace:
    """A neighbour of the host on another link; its way to the containers leads through the host."""
    outside = Namespace()
    command("ip", "link", "add", "smpnout", "type", "veth", "peer", "name", "wire")
    outside.take("wire")
    command("ip", "addr", "add", f"{HOST_ADDRESS}/24", "dev", "smpnout")
    command("ip", "link", "set", "smpnout", "up")
    outside.command("ip", "addr", "add", f"{STRANGER_ADDRESS}/24", "dev", "wire")
    outside.command("ip", "link", "set", "wire", "up")
    outside.command("ip", "route", "add", "default", "via", HOST_ADDRESS)
    return outside


def test_a_port_is_reached_from_the_host_from_outside_and_from_containers() -> None:
    async def scenario() -> None:
        outside = stranger()
        async with networks() as opened:
            web, _ = await join(opened, "web", bind("8080"), bind("8080", "80/udp"))
            other, _ = await join(opened, "other")
            web.tcp_server(80)
            web.udp_server(80)
            for ask in (ask_tcp, ask_udp):
                assert ask("127.0.0.1", 8080) == GATEWAY
                assert ask(HOST_ADDRESS, 8080) in (GATEWAY, HOST_ADDRESS)
                assert outside.within(lambda ask=ask: ask(HOST_ADDRESS, 8080)) == STRANGER_ADDRESS
                for inside in (other, web):
                    assert inside.within(lambda ask=ask: ask(HOST_ADDRESS, 8080)) == GATEWAY
                    assert inside.within(lambda ask=ask: ask(GATEWAY, 8080)) == GATEWAY

    run_on_own_host(scenario)


def test_containers_reach_each_other_and_the_outside_sees_the_host() -> None:
    async def scenario() -> None:
        outside = stranger()
        async with networks() as opened:
            web, endpoint = await join(opened, "web")
            other, other_endpoint = await join(opened, "other")
            web.tcp_server(80)
            outside.tcp_server(81)
            assert other.within(lambda: ask_tcp(endpoint.ip_address, 80)) == other_endpoint.ip_address
            assert other.within(lambda: ask_tcp(STRANGER_ADDRESS, 81)) == HOST_ADDRESS
            assert ask_tcp(endpoint.ip_address, 80) == GATEWAY

    run_on_own_host(scenario)


def test_a_port_bound_to_loopback_is_for_the_host_alone() -> None:
    async def scenario() -> None:
        outside = stranger()
        outside.command("ip", "route", "add", "10.82.0.0/24", "via", HOST_ADDRESS)
        async with networks() as opened:
            web, endpoint = await join(opened, "web", bind("127.0.0.1:8080"))
            web.tcp_server(80)
            assert ask_tcp("127.0.0.1", 8080) == GATEWAY
            assert not is_reachable(HOST_ADDRESS, 8080)
            assert not outside.within(lambda: is_reachable(HOST_ADDRESS, 8080))
            assert not outside.within(lambda: is_reachable(endpoint.ip_address, 80)), "unpublished, by a direct route"

    run_on_own_host(scenario)


def test_a_container_cannot_reach_the_loopback_services_of_the_host() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            inside, _ = await join(opened, "c")
            inside.within(lambda: set_sysctl("net/ipv4/conf/eth0/route_localnet", "1"))
            inside.command("ip", "route", "del", "table", "local", "127.0.0.0/8", "dev", "lo")
            inside.command("ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
            inside.command("ip", "route", "add", "127.0.0.1/32", "via", GATEWAY)
            netlab.Greeter(netlab.bound_tcp("127.0.0.1", 9000))
            assert ask_tcp("127.0.0.1", 9000) == "127.0.0.1"
            assert not inside.within(lambda: is_reachable("127.0.0.1", 9000))
            listed = json.loads(command("nft", "-j", "list", "chain", "ip", "sampan-smpn0", "guard"))
            counters = [
                each["counter"]["packets"] for each in listed["nftables"][-1]["rule"]["expr"] if "counter" in each
            ]
            assert counters[0] > 0, "the packets came as far as the guard"

    run_on_own_host(scenario)


def test_ports_of_one_address_and_of_all_stand_side_by_side() -> None:
    async def scenario() -> None:
        stranger()
        async with networks() as opened:
            one, first = await join(opened, "one", bind("127.0.0.1:8080"))
            two, second = await join(opened, "two", bind(f"{HOST_ADDRESS}:8080", "81/tcp"))
            one.tcp_server(80)
            two.tcp_server(81)
            assert ask_tcp("127.0.0.1", 8080) == GATEWAY
            assert ask_tcp(HOST_ADDRESS, 8080)
            assert first.ports == {"80/tcp": [("127.0.0.1", 8080)]}
            assert second.ports == {"81/tcp": [(HOST_ADDRESS, 8080)]}
            await opened.leave("one")
            assert not is_reachable("127.0.0.1", 8080)
            assert ask_tcp(HOST_ADDRESS, 8080)

    run_on_own_host(scenario)


def test_a_taken_port_is_refused_in_dockers_words_before_anything_happens() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            await join(opened, "web", bind("8080"))
            before = command("ip", "-br", "link")
            with pytest.raises(errors.Internal) as refused:
                await join(opened, "late", bind("127.0.0.1:8080"))
            said = str(refused.value)
            failed = "failed to set up container networking: driver failed programming external connectivity on"
            assert said.startswith(f"{failed} endpoint late (")
            assert said.endswith("): Bind for 0.0.0.0:8080 failed: port is already allocated")
            taken = netlab.bound_tcp("0.0.0.0", 9090)
            with pytest.raises(errors.Internal, match=r"host port for 0.0.0.0:9090:10.82.0.3:80/tcp: address already"):
                await join(opened, "late", bind("9090"))
            taken.close()
            assert command("ip", "-br", "link") == before
            assert opened.endpoint("late") is None
            _, endpoint = await join(opened, "late", bind("9090"))
            assert endpoint.ip_address == "10.82.0.3", "the refused joins kept no address"

    run_on_own_host(scenario)


def test_a_published_port_is_held_against_other_programs_until_the_container_leaves() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            await join(opened, "web", bind("8080"))
            with pytest.raises(OSError):
                netlab.bound_tcp("0.0.0.0", 8080)
            await opened.leave("web")
            netlab.bound_tcp("0.0.0.0", 8080).close()

    run_on_own_host(scenario)


def test_with_br_netfilter_a_container_still_reaches_itself_by_its_published_port() -> None:
    async def scenario() -> None:
        if not os.path.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"):
            pytest.skip("no br_netfilter")
        async with networks() as opened:
            set_sysctl("net/bridge/bridge-nf-call-iptables", "1")
            web, _ = await join(opened, "web", bind("8080"))
            other, _ = await join(opened, "other")
            web.tcp_server(80)
            for inside in (web, other):
                assert inside.within(lambda: ask_tcp(GATEWAY, 8080)) == GATEWAY

    run_on_own_host(scenario)


def test_a_udp_client_that_never_pauses_finds_each_new_container() -> None:
    async def scenario() -> None:
        outside = stranger()

        def ask_from_fixed_port() -> str:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.bind((STRANGER_ADDRESS, 4000))
                client.settimeout(0.5)
                client.connect((HOST_ADDRESS, 5353))
                client.send(b"hello")
                return client.recv(100).decode()

        async with networks() as opened:
            with pytest.raises(OSError):
                outside.within(ask_from_fixed_port)
            for container in ("first", "second"):
                keeper, _ = await join(opened, f"{container}-neighbour")  # so that the next has another address
                inside, _ = await join(opened, container, bind("5353", "53/udp"))
                inside.udp_server(53)
                assert outside.within(ask_from_fixed_port) == STRANGER_ADDRESS
                await opened.leave(container)
                assert keeper.ns_fd >= 0

    run_on_own_host(scenario)


def test_a_hardware_address_can_be_chosen_and_the_host_finds_it_at_once() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            for mac in ("02:00:00:00:00:0a", "02:00:00:00:00:0b"):
                inside = Namespace()
                endpoint = await opened.join("c", mode="bridge", ports=[], netns=inside, hostname="c", mac=mac)
                assert mac in inside.command("ip", "link", "show", "eth0")
                inside.tcp_server(80)
                assert ask_tcp(endpoint.ip_address, 80) == GATEWAY
                await opened.leave("c")

    run_on_own_host(scenario)
