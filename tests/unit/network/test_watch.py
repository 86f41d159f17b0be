"""Which notification makes the watch repair what."""

import asyncio
import errno
import socket
from collections.abc import Callable

import pytest

from sampan.linux import nftables
from sampan.linux.netlink import Message, text
from sampan.network.watch import Watch

OURS, THEIRS = "sampan-smpn0", "filter"
STRANGER = 99


class Notes:
    """Firewall and foreign chains in one, counting repairs."""

    table = OURS
    port = 7

    def __init__(self) -> None:
        self.repairs: list[str] = []

    def rebuild(self) -> None:
        self.repairs.append("own")

    def open_up(self) -> int:
        self.repairs.append("foreign")
        return 1


class FakeSocket:
    """Notifications that were put in, readable through a real descriptor."""

    def __init__(self) -> None:
        self._reading, self._writing = socket.socketpair()
        self._waiting: list[Message] = []
        self.overflow = False

    def put(self, kind: int, table: str, *, port: int = STRANGER) -> None:
        self._waiting.append(Message(kind, 0, b"\x02\0\0\0" + text(1, table), port=port))
        self._writing.send(b"!")

    def fileno(self) -> int:
        return self._reading.fileno()

    def notifications(self) -> list[Message]:
        self._reading.recv(100)
        if self.overflow:
            self.overflow = False
            raise OSError(errno.ENOBUFS, "No buffer space available")
        found, self._waiting = self._waiting, []
        return found

    def close(self) -> None:
        self._reading.close()
        self._writing.close()


def repairs_after(change: Callable[[FakeSocket], None], *, count: int) -> list[str]:
    """What was repaired after a change, a marker change that repairs "foreign" having come through as well."""
    notes, sock = Notes(), FakeSocket()

    async def scenario() -> None:
        watch = Watch(notes, notes, sock)  # type: ignore[arg-type]
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            running = group.create_task(watch.run())
            change(sock)
            while len(notes.repairs) < count:
                await asyncio.sleep(0)
            running.cancel()
        watch.close()

    asyncio.run(scenario())
    return notes.repairs


@pytest.mark.parametrize("kind", [nftables.NFT_MSG_DELTABLE, nftables.NFT_MSG_DELRULE, nftables.NFT_MSG_DELSETELEM])
def test_a_loss_in_our_table_builds_it_again(kind: int) -> None:
    assert repairs_after(lambda sock: sock.put(kind, OURS), count=1) == ["own"]


@pytest.mark.parametrize("kind", [nftables.NFT_MSG_NEWCHAIN, nftables.NFT_MSG_DELRULE])
def test_a_new_chain_or_lost_rules_of_others_are_looked_at(kind: int) -> None:
    assert repairs_after(lambda sock: sock.put(kind, THEIRS), count=1) == ["foreign"]


def test_our_own_changes_and_harmless_ones_are_passed_over() -> None:
    def change(sock: FakeSocket) -> None:
        sock.put(nftables.NFT_MSG_DELTABLE, OURS, port=Notes.port)
        sock.put(nftables.NFT_MSG_NEWSETELEM, THEIRS)
        sock.put(nftables.NFT_MSG_DELSETELEM, "sampan-smpn1")
        sock.put(nftables.NFT_MSG_NEWCHAIN, THEIRS)

    assert repairs_after(change, count=1) == ["foreign"]


def test_after_lost_notifications_everything_is_looked_at() -> None:
    def change(sock: FakeSocket) -> None:
        sock.overflow = True
        sock.put(nftables.NFT_MSG_NEWSETELEM, THEIRS)

    assert repairs_after(change, count=2) == ["own", "foreign"]
