"""Living with other firewalls: a dropping FORWARD policy, flushed rules, and leaving without a trace."""

import asyncio
from collections.abc import Callable

import pytest

from support.netlab import Namespace, ask_tcp, command, is_reachable, run_on_own_host
from support.networking import bind, join, networks

pytestmark = pytest.mark.needs_root

HEAL_TIMEOUT_S = 2.0


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(HEAL_TIMEOUT_S):
        while not is_so():
            await asyncio.sleep(0.005)


def forward_rules() -> list[str]:
    return [line for line in command("iptables-nft", "-S", "FORWARD").splitlines() if "smpn0" in line]


def neighbour() -> Namespace:
    """A host on another link."""
    outside = Namespace()
    command("ip", "link", "add", "smpnout", "type", "veth", "peer", "name", "wire")
    outside.take("wire")
    command("ip", "addr", "add", "10.82.200.1/24", "dev", "smpnout")
    command("ip", "link", "set", "smpnout", "up")
    outside.command("ip", "addr", "add", "10.82.200.2/24", "dev", "wire")
    outside.command("ip", "link", "set", "wire", "up")
    return outside


# As nft(8) 1.0.6 lists it.
TABLE = """\
table ip sampan-smpn0 {
	map published_any {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { tcp . 8080 : 10.82.0.2 . 80 }
	}

	map published_at {
		type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
		elements = { udp . 127.0.0.1 . 5353 : 10.82.0.2 . 53 }
	}

	chain publish {
		dnat ip to meta l4proto . ip daddr . th dport map @published_at
		dnat ip to meta l4proto . th dport map @published_any
	}

	chain guard {
		type filter hook prerouting priority raw; policy accept;
		iifname "smpn0" ip daddr 127.0.0.0/8 counter packets 0 bytes 0 drop
	}

	chain incoming {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr != 127.0.0.0/8 fib daddr type local jump publish
	}

	chain outgoing {
		type nat hook output priority -100; policy accept;
		fib daddr type local jump publish
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		oifname "smpn0" iifname != "smpn0" ct state ! established,related ct status ! dnat counter packets 0 bytes 0 drop
	}

	chain leaving {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.82.0.0/24 oifname != "smpn0" counter packets 0 bytes 0 masquerade
		ip saddr 10.82.0.0/24 oifname "smpn0" ct status dnat counter packets 0 bytes 0 masquerade
		ip saddr 127.0.0.0/8 oifname "smpn0" counter packets 0 bytes 0 masquerade
	}
}
"""  # noqa: E501


def test_nft_reads_the_table_as_it_is_meant() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            await join(opened, "web", bind("8080"), bind("127.0.0.1:5353", "53/udp"))
            assert command("nft", "list", "ruleset") == TABLE

    run_on_own_host(scenario)


def test_traffic_passes_a_dropping_forward_policy_that_was_there_before() -> None:
    async def scenario() -> None:
        outside = neighbour()
        command("iptables-nft", "-P", "FORWARD", "DROP")
        async with networks() as opened:
            web, _ = await join(opened, "web", bind("8080"))
            web.tcp_server(80)
            outside.tcp_server(81)
            assert outside.within(lambda: ask_tcp("10.82.200.1", 8080)) == "10.82.200.2"
            assert web.within(lambda: ask_tcp("10.82.200.2", 81)) == "10.82.200.1"
            assert len(forward_rules()) == 2
            assert all("-j ACCEPT" in rule for rule in forward_rules())

    run_on_own_host(scenario)


def test_a_policy_set_later_and_a_flush_are_answered() -> None:
    async def scenario() -> None:
        outside = neighbour()
        async with networks() as opened:
            web, _ = await join(opened, "web", bind("8080"))
            web.tcp_server(80)
            command("iptables-nft", "-P", "FORWARD", "DROP")
            await eventually(lambda: len(forward_rules()) == 2)
            command("iptables-nft", "-F", "FORWARD")
            await eventually(lambda: len(forward_rules()) == 2)
            assert outside.within(lambda: ask_tcp("10.82.200.1", 8080)) == "10.82.200.2"

    run_on_own_host(scenario)


def test_published_ports_come_back_after_the_rule_set_was_flushed() -> None:
    async def scenario() -> None:
        async with networks() as opened:
            web, _ = await join(opened, "web", bind("8080"))
            web.tcp_server(80)
            before = command("nft", "list", "ruleset")
            command("nft", "flush", "ruleset")
            await eventually(lambda: command("nft", "list", "ruleset") == before)
            assert ask_tcp("127.0.0.1", 8080)
            command("nft", "flush", "ruleset")
            await opened.leave("web")  # may come before the repair
            await eventually(lambda: "guard" in command("nft", "list", "ruleset"))
            assert not is_reachable("127.0.0.1", 8080)

    run_on_own_host(scenario)


def test_an_inet_chain_that_drops_is_opened_and_other_chains_are_left_alone() -> None:
    async def scenario() -> None:
        command("nft", "add", "table", "inet", "theirs")
        hook = "{ type filter hook %s priority 5; policy drop; }"
        command("nft", "add", "chain", "inet", "theirs", "passing", hook % "forward")
        command("nft", "add", "chain", "inet", "theirs", "entering", hook % "input")
        free = hook.replace("drop", "accept") % "forward"
        command("nft", "add", "chain", "inet", "theirs", "free", free)
        async with networks():
            assert command("nft", "list", "chain", "inet", "theirs", "passing").count('comment "sampan smpn0"') == 2
            for chain in ("entering", "free"):
                assert "sampan" not in command("nft", "list", "chain", "inet", "theirs", chain)

    run_on_own_host(scenario)


def test_two_daemons_with_different_bridges_do_not_meet() -> None:
    async def scenario() -> None:
        async with networks() as one, networks(bridge="smpn1", bip="10.82.1.1/24") as two:
            first, _ = await join(one, "a", bind("8080"))
            second, _ = await join(two, "a", bind("8081"))
            first.tcp_server(80)
            second.tcp_server(80)
            assert ask_tcp("127.0.0.1", 8080) == "10.82.0.1"
            assert ask_tcp("127.0.0.1", 8081) == "10.82.1.1"
            await one.teardown()
            assert ask_tcp("127.0.0.1", 8081) == "10.82.1.1"

    run_on_own_host(scenario)


def test_teardown_leaves_nothing() -> None:
    async def scenario() -> None:
        command("iptables-nft", "-P", "FORWARD", "DROP")
        links, rules = command("ip", "-br", "link"), command("nft", "list", "ruleset")
        async with networks() as opened:
            await join(opened, "web", bind("8080"))
            await join(opened, "other")
            assert command("nft", "list", "ruleset") != rules
            await opened.teardown()
            assert command("ip", "-br", "link") == links
            assert command("nft", "list", "ruleset") == rules
            assert opened.endpoints() == []

    run_on_own_host(scenario)
