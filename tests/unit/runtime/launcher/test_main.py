"""The launcher's loop and what it makes of requests; its stocks are fakes (real ones: tests/integration)."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from sampan.runtime import message
from sampan.runtime.launcher.main import HELPER, LAUNCH, LAUNCH_UNUSUAL, NETNS, REMAPPED_NETNS, Launcher
from support import children


class FakeStock:
    """Both stocks of the launcher at once: full, and noting what is asked."""

    is_full = True

    def __init__(self) -> None:
        self.launches: list[tuple[str, bytes, list[str]]] = []

    def launch(self, packet: bytes, fds: list[int]) -> None:
        self.launches.append(("usual", packet, [os.readlink(f"/proc/self/fd/{fd}") for fd in fds]))

    def launch_new(self, packet: bytes, fds: list[int]) -> None:
        self.launches.append(("unusual", packet, [os.readlink(f"/proc/self/fd/{fd}") for fd in fds]))

    def take(self) -> tuple[int, socket.socket]:
        return os.open("/proc/self/ns/net", os.O_RDONLY), socket.socket(socket.AF_UNIX)

    def make_owned(self, uids: list[dict[str, int]], gids: list[dict[str, int]]) -> tuple[int, socket.socket, int]:
        if not uids:
            raise OSError(errno.EPERM, "write id mappings: Operation not permitted")
        return *self.take(), os.open("/proc/self/ns/user", os.O_RDONLY)

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


def test_it_goes_when_the_daemon_goes(world: World) -> None:
    world.run()


def test_a_daemon_that_goes_before_its_answer_is_no_error(world: World) -> None:
    message.send(world.far, {"seq": 9}, kind=NETNS)
    world.far.close()
    world.launcher.run()


def test_a_daemon_that_goes_without_reading_an_answer_is_no_error(world: World) -> None:
    message.send(world.near, {"seq": 8})
    world.far.close()
    world.launcher.run()


def test_a_network_namespace_comes_with_its_route_socket(world: World) -> None:
    message.send(world.far, {"seq": 9}, kind=NETNS)
    world.run()
    found = message.receive(world.far)
    assert found is not None and found[0] == {"seq": 9, "ok": {}}
    ns, route = found[1]
    assert os.readlink(f"/proc/self/fd/{ns}").startswith("net:")
    assert os.readlink(f"/proc/self/fd/{route}").startswith("socket:")
    os.close(ns)
    os.close(route)


@pytest.mark.parametrize(("kind", "expected"), [(LAUNCH, "usual"), (LAUNCH_UNUSUAL, "unusual")])
def test_a_launch_goes_unread_to_a_shim_with_its_descriptors(world: World, kind: bytes, expected: str) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    message.send_packet(world.far, [kind, b"unread"], [null, null])
    os.close(null)
    world.run()
    assert world.stock.launches == [(expected, b"unread", ["/dev/null"] * 2)]


def test_a_helper_is_forked_and_answers_by_itself(world: World) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    body: message.Message = {"name": "clean_up", "arguments": {"exec_dir": 1}}
    message.send(world.far, body, [theirs.fileno()], kind=HELPER)
    theirs.close()
    world.run()
    assert message.receive(ours) is None  # nonsense: it died, and the launcher goes on
    ours.close()
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 1


def test_requests_that_nobody_knows_are_passed_over_and_their_descriptors_closed(world: World) -> None:
    read, write = os.pipe()
    message.send_packet(world.far, [b"?dance"], [write])
    os.close(write)
    world.run()
    assert os.read(read, 1) == b""
    os.close(read)


def test_children_let_go_of_the_daemons_socket() -> None:
    def life() -> None:
        world = World()
        world.launcher._become_child()
        assert world.far.recv(1) == b""

    assert children.code_of(life) == 0


def test_a_remapped_network_namespace_comes_with_its_user_namespace(world: World) -> None:
    message.send(world.far, {"seq": 9, "uids": [{"size": 1}], "gids": []}, kind=REMAPPED_NETNS)
    world.run()
    found = message.receive(world.far)
    assert found is not None and found[0] == {"seq": 9, "ok": {}}
    kinds = [os.readlink(f"/proc/self/fd/{fd}").partition(":")[0] for fd in found[1]]
    assert kinds == ["net", "socket", "user"]
    for fd in found[1]:
        os.close(fd)


def test_a_user_namespace_that_cannot_be_made_is_answered_and_the_launcher_goes_on(world: World) -> None:
    message.send(world.far, {"seq": 9, "uids": [], "gids": []}, kind=REMAPPED_NETNS)
    message.send(world.far, {"seq": 10}, kind=NETNS)
    world.run()
    failed = message.receive(world.far)
    text = "user namespace: write id mappings: Operation not permitted"
    assert failed is not None
    assert failed[0] == {"seq": 9, "error": {"class": "Internal", "message": text, "exit_code": 0}}
    found = message.receive(world.far)
    assert found is not None and found[0] == {"seq": 10, "ok": {}}
    for fd in found[1]:
        os.close(fd)
