import os
import socket
from collections.abc import Iterator

import pytest

from sampan.runtime import message
from sampan.runtime.launcher import spares
from sampan.runtime.launcher.spares import SPARES, SpareShims

PACKET = b'J{"shim":{"id":"c1"}}'
BODY = {"shim": {"id": "c1"}}


class FakeSpares(SpareShims):
    """Its shims are sockets, whose other ends the test holds; (end, made ahead) in the order of their making."""

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self.shims: list[tuple[socket.socket, bool]] = []
        self.die_at_birth = False

    def _fork(self, *, ahead: bool) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.settimeout(5)
        self.shims.append((theirs, ahead))
        if self.die_at_birth:
            theirs.close()
        return ours

    def close(self) -> None:
        for sock, _ in self.shims:
            sock.close()
        for sock in self._idle:
            sock.close()


@pytest.fixture
def shims() -> Iterator[FakeSpares]:
    found = FakeSpares()
    yield found
    found.close()


def told(sock: socket.socket) -> "tuple[message.Message, list[int]] | None":
    return message.receive(sock)


def test_a_stock_is_full_at_its_number_of_spares(shims: FakeSpares) -> None:
    for _ in range(SPARES):
        assert not shims.is_full
        shims.stock()
    assert shims.is_full and len(shims.shims) == SPARES


def test_a_usual_launch_goes_to_a_spare_which_is_used_once(shims: FakeSpares) -> None:
    shims.stock()
    shims.launch(PACKET, [])
    assert not shims.is_full and len(shims.shims) == 1
    assert told(shims.shims[0][0]) == (BODY, [])
    assert told(shims.shims[0][0]) is None  # the launcher let go of it
    shims.launch(PACKET, [])
    assert [ahead for _, ahead in shims.shims][1:] == [False]


def test_descriptors_go_along(shims: FakeSpares) -> None:
    read, write = os.pipe()
    shims.launch(PACKET, [read, write])
    found = told(shims.shims[0][0])
    assert found is not None and len(found[1]) == 2
    os.write(found[1][1], b"through")
    assert os.read(read, 10) == b"through"
    for fd in (read, write, *found[1]):
        os.close(fd)


def test_unusual_namespaces_get_a_shim_of_their_own_and_keep_the_spare(shims: FakeSpares) -> None:
    shims.stock()
    shims.launch_new(PACKET, [])
    assert shims.is_full
    assert told(shims.shims[1][0]) == (BODY, [])


def test_a_spare_that_somebody_killed_is_passed_over(shims: FakeSpares) -> None:
    shims.stock()
    shims.shims[0][0].close()
    shims.launch(PACKET, [])
    assert len(shims.shims) == 2
    assert told(shims.shims[1][0]) == (BODY, [])


def test_shims_that_die_as_they_are_born_are_an_error_not_a_loop(shims: FakeSpares) -> None:
    shims.die_at_birth = True
    with pytest.raises(OSError, match="died as it was born"):
        shims.launch(PACKET, [])
    assert len(shims.shims) == 1


def test_a_forked_shim_waits_for_its_request_and_holds_none_of_the_launchers_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launcher, daemon = socket.socketpair()

    def run(sock: socket.socket, **options: object) -> None:
        found = message.receive(sock)
        code = 0
        if found is not None:
            sockets = [fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]
            mine = {os.readlink(f"/proc/self/fd/{fd}") for fd in sockets}
            code = 5 if launcher_name in mine or idle_name in mine else 4
        os._exit(code)

    monkeypatch.setattr(spares.shim, "run", run)
    launcher_name = os.readlink(f"/proc/self/fd/{launcher.fileno()}")
    shims = SpareShims(launcher.close)
    before = children_now()
    shims.stock()
    idle_name = os.readlink(f"/proc/self/fd/{shims._idle[0].fileno()}")
    shims.launch_new(PACKET, [])
    first, second = sorted(children_now() - before)
    assert os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]) == 4
    shims._idle.pop().close()
    assert os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) == 0  # nobody else holds the spare's socket
    launcher.close()
    daemon.close()


def children_now() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return {int(text) for text in file.read().split()}
