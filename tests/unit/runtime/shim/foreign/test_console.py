import array
import os
import socket
from collections.abc import Callable
from pathlib import Path

from sampan.runtime.shim.foreign.console import Console
from sampan.runtime.shim.loop import Loop
from support.waiting import eventually


class Terminals:
    """A console whose terminals are pipes' ends."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop()
        self.got: list[int] = []
        self.folder = folder
        self.console = Console(self.loop, str(folder), "c.sock", self.got.append)

    def send(self, fds: list[int]) -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.console.path)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())] if fds else []
            sock.sendmsg([b"/dev/ptmx"], rights)

    def until(self, check: Callable[[], object]) -> None:
        def turned() -> bool:
            self.loop._is_running = True
            self.loop.after(0, self.loop.stop)
            self.loop.run()
            return bool(check())

        eventually(turned)


def long_folder(tmp_path: Path) -> Path:
    found = tmp_path / ("x" * 100)
    found.mkdir()
    return found


def test_a_terminal_arrives_in_a_folder_whose_name_is_too_long_for_an_address(tmp_path: Path) -> None:
    world = Terminals(long_folder(tmp_path))
    reader, writer = os.pipe()
    world.send([reader])
    world.until(lambda: world.got)
    os.write(writer, b"x")
    assert os.read(world.got[0], 1) == b"x"
    assert os.listdir(world.folder) == []
    for fd in (reader, writer, *world.got):
        os.close(fd)


def test_a_terminal_that_was_sent_but_not_yet_heard_of_is_taken_at_the_end(tmp_path: Path) -> None:
    world = Terminals(tmp_path)
    reader, writer = os.pipe()
    world.send([reader])
    world.console.finish()
    assert len(world.got) == 1
    for fd in (reader, writer, *world.got):
        os.close(fd)


def test_more_descriptors_than_one_do_not_leak_and_none_is_no_terminal(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    reader, writer = os.pipe()
    world = Terminals(tmp_path)
    world.send([reader, writer])
    world.console.finish()
    assert len(world.got) == 1
    empty = Terminals(tmp_path)
    empty.send([])
    empty.console.finish()
    assert empty.got == []
    for fd in (reader, writer, *world.got):
        os.close(fd)
    for found in (world, empty):
        found.loop._epoll.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_console_that_nobody_used_leaves_nothing(tmp_path: Path) -> None:
    world = Terminals(tmp_path)
    world.console.finish()
    world.console.close()
    assert os.listdir(tmp_path) == [] and world.got == []
