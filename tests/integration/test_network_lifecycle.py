"""Joining and leaving: many at once, failures, daemons that end and come back, and the choice of a subnet."""

import asyncio
import json
import os
import tempfile
from asyncio import TaskGroup

import pytest

from sampan import errors
from sampan.network import Endpoint
from support.netlab import Namespace, ask_tcp, bound_tcp, command, is_reachable, run_on_own_host
from support.networking import BRIDGE, GATEWAY, bind, join, networks

pytestmark = pytest.mark.needs_root

MANY = 50


def pairs() -> list[str]:
    return [link["ifname"] for link in json.loads(command("ip", "-j", "link")) if link["ifname"].startswith("smp")]


def elements() -> str:
    return command("nft", "list", "map", "ip", f"sampan-{BRIDGE}", "published_any")


def test_an_endpoint_is_what_the_namespace_shows() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            inside, endpoint = await join(opened, "c")
            (link,) = json.loads(inside.command("ip", "-j", "addr", "show", "eth0"))
            (address,) = link["addr_info"]
            assert (address["local"], address["prefixlen"]) == (endpoint.ip_address, endpoint.prefix_length)
            assert address["broadcast"] == "10.82.0.255"
            assert link["address"] == endpoint.mac_address == "02:42:0a:52:00:02"
            assert link["operstate"] == "UP"
            (route,) = json.loads(inside.command("ip", "-j", "route", "show", "default"))
            assert route["gateway"] == endpoint.gateway == GATEWAY
            assert "UP" in json.loads(inside.command("ip", "-j", "link", "show", "lo"))[0]["flags"]

    run_on_own_host(scenario)


def test_fifty_containers_join_and_leave_at_once() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            joined: list[tuple[Namespace, Endpoint]] = []

            async def run(number: int) -> None:
                joined.append(await join(opened, f"c{number}", *([bind("0")] if number % 2 else [])))

            async with TaskGroup() as group:
                for number in range(MANY):
                    group.create_task(run(number))
            endpoints = [endpoint for _, endpoint in joined]
            assert len({endpoint.ip_address for endpoint in endpoints}) == MANY
            assert len({port.host_port for endpoint in endpoints for port in endpoint.published}) == MANY // 2
            for inside, endpoint in joined:
                inside.tcp_server(80)
                assert ask_tcp(endpoint.ip_address, 80) == GATEWAY
                for port in endpoint.published:
                    assert ask_tcp("127.0.0.1", port.host_port) == GATEWAY
            async with TaskGroup() as group:
                for endpoint in endpoints:
                    group.create_task(opened.leave(endpoint.container_id))
            assert "elements" not in elements()
            assert not is_reachable(endpoints[0].ip_address, 80)
            _, again = await join(opened, "again")
            assert again.ip_address == "10.82.0.2"

    run_on_own_host(scenario)


def test_a_failed_join_leaves_nothing_and_the_namespace_can_join_again() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            inside = Namespace()
            inside.command("ip", "link", "set", "lo", "up")
            inside.command("ip", "route", "add", "default", "dev", "lo")  # in the way of ours
            before = pairs()
            for _ in range(2):
                with pytest.raises(errors.Internal, match="File exists"):
                    await opened.join("c", mode="bridge", ports=[bind("8080")], netns=inside, hostname="c")
                assert opened.endpoint("c") is None
                assert pairs() == before
                assert "elements" not in elements()
                bound_tcp("0.0.0.0", 8080).close()
            inside.command("ip", "route", "del", "default", "dev", "lo")
            endpoint = await opened.join("c", mode="bridge", ports=[bind("8080")], netns=inside, hostname="c")
            assert endpoint.ip_address == "10.82.0.2"

    run_on_own_host(scenario)


def test_leaving_twice_is_harmless_and_joining_twice_is_refused() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            await join(opened, "c")
            with pytest.raises(errors.Conflict, match="endpoint with name c already exists in network bridge"):
                await join(opened, "c")
            await opened.leave("c")
            await opened.leave("c")
            await join(opened, "c")

    run_on_own_host(scenario)


def test_containers_go_on_without_the_daemon_and_the_next_one_takes_over() -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with networks(folder) as opened:
                web, before = await join(opened, "web", bind("8080"))
                gone, _ = await join(opened, "gone", bind("8081"))
                web.tcp_server(80)
                records = opened.networks()
            assert ask_tcp("127.0.0.1", 8080) == GATEWAY
            async with networks(folder) as opened:
                await opened.reconcile({"web"})
                assert opened.endpoint("web") == before
                assert opened.endpoint("gone") is None
                assert opened.networks() == records
                assert ask_tcp("127.0.0.1", 8080) == GATEWAY
                assert sorted(pairs()) == sorted([BRIDGE, before.host_interface])
                with pytest.raises(OSError):
                    bound_tcp("0.0.0.0", 8080)
                bound_tcp("0.0.0.0", 8081).close()
                _, late = await join(opened, "late")
                assert late.ip_address == "10.82.0.3"
                gone.close()

    run_on_own_host(scenario)


def test_a_bridge_that_was_deleted_meanwhile_comes_back_with_its_ports() -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with networks(folder) as opened:
                web, endpoint = await join(opened, "web")
                web.tcp_server(80)
            command("ip", "link", "delete", BRIDGE)
            async with networks(folder) as opened:
                await opened.reconcile({"web"})
                assert ask_tcp(endpoint.ip_address, 80) == GATEWAY

    run_on_own_host(scenario)


def test_the_default_subnet_avoids_the_routes_of_the_host_and_is_remembered() -> None:
    async def scenario() -> None:
        command("ip", "link", "add", "smpndummy", "type", "bridge")
        command("ip", "link", "set", "smpndummy", "up")
        command("ip", "route", "add", "172.17.128.0/24", "dev", "smpndummy")
        with tempfile.TemporaryDirectory() as folder:
            async with networks(folder, bip=None) as opened:
                assert opened.networks()[0].subnet == "172.18.0.0/16"
                assert opened.networks()[0].gateway == "172.18.0.1"
                await opened.teardown()
            command("ip", "route", "del", "172.17.128.0/24", "dev", "smpndummy")
            async with networks(folder, bip=None) as opened:
                assert opened.networks()[0].subnet == "172.18.0.0/16"

    run_on_own_host(scenario)


def test_a_bridge_address_given_later_replaces_the_old_one() -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with networks(folder) as opened:
                await opened.reconcile(set())
            async with networks(folder, bip="10.82.9.1/24") as opened:
                (link,) = json.loads(command("ip", "-j", "-4", "addr", "show", BRIDGE))
                assert [each["local"] for each in link["addr_info"]] == ["10.82.9.1"]

    run_on_own_host(scenario)


def test_none_has_its_loopback_and_host_has_an_endpoint_without_addresses() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            inside = Namespace()
            alone = await opened.join("n", mode="none", ports=[], netns=inside, hostname="n")
            assert alone.ip_address == "" and alone.ports == {}
            assert len(json.loads(inside.command("ip", "-j", "link"))) == 1
            assert "UP" in json.loads(inside.command("ip", "-j", "link", "show", "lo"))[0]["flags"]
            shared = await opened.join("h", mode="host", ports=[], netns=None, hostname="h")
            assert shared.network_name == "host" and len(shared.endpoint_id) == 64
            await opened.leave("n")
            await opened.leave("h")
            assert opened.endpoints() == []

    run_on_own_host(scenario)


def test_an_interface_that_is_no_bridge_is_not_touched() -> None:
    async def scenario() -> None:
        command("ip", "link", "add", BRIDGE, "type", "veth", "peer", "name", "smpnpeer")
        with pytest.raises(errors.Internal, match="interface smpn0 exists and is not a bridge"):
            async with networks():
                pass
        assert not os.path.exists("/sys/class/net/smpn0/bridge")

    run_on_own_host(scenario)


def test_a_join_cancelled_at_any_moment_leaves_nothing() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            inside = Namespace()
            before = pairs()
            for delay_us in range(0, 4000, 200):
                async with TaskGroup() as group:
                    joining = group.create_task(
                        opened.join("c", mode="bridge", ports=[bind("8080")], netns=inside, hostname="c")
                    )
                    await asyncio.sleep(delay_us / 1e6)
                    joining.cancel()
                if joining.cancelled():
                    assert set(pairs()) <= set(before), "those before die with their namespaces meanwhile"
                    assert "elements" not in elements()
                    assert opened.endpoint("c") is None
                else:
                    await opened.leave("c")
                    inside.close()
                    inside = Namespace()
                    before = pairs()
            _, endpoint = await join(opened, "d", bind("8080"))
            assert endpoint.ip_address == "10.82.0.2"

    run_on_own_host(scenario)


def test_a_thousand_ports_of_one_container_are_published_at_once() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            ports = [bind(str(port), f"{port}/udp") for port in range(20000, 21000)]
            _, endpoint = await join(opened, "c", *ports)
            assert len(endpoint.published) == 1000
            assert elements().count("udp . ") == 1000
            await opened.leave("c")
            assert "elements" not in elements()

    run_on_own_host(scenario)
