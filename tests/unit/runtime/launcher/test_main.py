"""The launcher's loop and what it makes of requests; its stocks are fakes (real ones: tests/integration)."""

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.runtime import message
from sampan.runtime.launcher.main import Launcher
from support import children

USUAL = ["mount", "network", "uts", "pid", "ipc"]


class FakeStock:
    """Both stocks of the launcher at once: full, and noting what is asked."""

    is_full = True

    def __init__(self) -> None:
        self.launches: list[tuple[dict[str, Any], list[str], bool]] = []

    def launch(self, body: dict[str, Any], fds: list[int], *, is_usual: bool) -> None:
        self.launches.append((body, [os.readlink(f"/proc/self/fd/{fd}") for fd in fds], is_usual))

    def take(self) -> tuple[int, socket.socket]:
        return os.open("/proc/self/ns/net", os.O_RDONLY), socket.socket(socket.AF_UNIX)

    def stock(self) -> None:
        raise AssertionError("it is full")

    def close(self) -> None:
        self.launches = []


class World:
    def __init__(self) -> None:
        self.far, near = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.far.settimeout(5)
        self.near = near
        self.stock = FakeStock()
        self.launcher = Launcher(near)
        self.launcher._namespaces.close()
        self.launcher._namespaces = self.launcher._shims = self.stock  # type: ignore[assignment]

    def run(self) -> None:
        """Let the launcher do what was sent, then go."""
        self.far.shutdown(socket.SHUT_WR)
        self.launcher.run()


@pytest.fixture
def world() -> Iterator[World]:
    before = os.listdir("/proc/self/fd")
    found = World()
    yield found
    found.far.close()
    found.near.close()
    assert os.listdir("/proc/self/fd") == before


def launch(world: World, *namespaces: str, has_netns: bool = False) -> tuple[dict[str, Any], list[str], bool]:
    null = os.open(os.devnull, os.O_RDONLY)
    body = {"do": "launch", "shim": {"new_namespaces": list(namespaces)}, "has_netns": has_netns, "attaches": []}
    message.send(world.far, body, [null] * (3 if has_netns else 2))
    os.close(null)
    world.run()
    (found,) = world.stock.launches
    return found


def test_it_goes_when_the_daemon_goes(world: World) -> None:
    world.run()


def test_a_network_namespace_comes_with_its_route_socket(world: World) -> None:
    message.send(world.far, {"do": "netns", "seq": 9})
    world.run()
    found = message.receive(world.far)
    assert found is not None and found[0] == {"seq": 9, "ok": {}}
    ns, route = found[1]
    assert os.readlink(f"/proc/self/fd/{ns}").startswith("net:")
    assert os.readlink(f"/proc/self/fd/{route}").startswith("socket:")
    os.close(ns)
    os.close(route)


def test_a_launch_without_a_network_of_the_daemons_gets_an_empty_one(world: World) -> None:
    body, files, is_usual = launch(world, *USUAL)
    assert body["has_netns"] and is_usual
    assert [name.partition(":")[0] for name in files] == ["/dev/null", "net", "/dev/null"]


def test_a_network_that_the_daemon_brings_is_used(world: World) -> None:
    body, files, _ = launch(world, *USUAL, has_netns=True)
    assert body["has_netns"] and files == ["/dev/null"] * 3


def test_the_hosts_network_needs_no_namespace(world: World) -> None:
    body, files, is_usual = launch(world, "mount", "uts", "pid", "ipc")
    assert not body["has_netns"] and files == ["/dev/null"] * 2
    assert is_usual  # the network is joined later, so a spare fits


def test_a_container_in_the_hosts_pid_namespace_is_not_usual(world: World) -> None:
    assert not launch(world, "mount", "network", "uts", "ipc")[2]


def test_a_helper_is_forked_and_answers_by_itself(world: World) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    body = {"do": "helper", "name": "clean_up", "arguments": {"exec_dir": 1}}
    message.send(world.far, body, [theirs.fileno()])
    theirs.close()
    world.run()
    assert message.receive(ours) is None  # nonsense: it died, and the launcher goes on
    ours.close()
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 1


def test_requests_that_nobody_knows_are_passed_over_and_their_descriptors_closed(world: World) -> None:
    read, write = os.pipe()
    message.send(world.far, {"do": "dance"}, [write])
    os.close(write)
    message.send(world.far, {"do": "stock"})
    world.run()
    assert os.read(read, 1) == b""
    os.close(read)


def test_children_let_go_of_the_daemons_socket() -> None:
    def life() -> None:
        world = World()
        world.launcher._become_child()
        assert world.far.recv(1) == b""

    assert children.code_of(life) == 0
