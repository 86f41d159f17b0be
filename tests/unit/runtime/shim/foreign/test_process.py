import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sampan.runtime.shim.foreign.children import Children
from sampan.runtime.shim.foreign.process import Adopted, read_pid
from sampan.runtime.shim.loop import Loop
from sampan.runtime.shim.stdio import Stdio
from support import children
from support.waiting import eventually


class World:
    """One process that somebody else has made."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.children = Children(self.loop)
        self.codes: list[int] = []
        stdio = Stdio(self.loop, log=None, close_input_at_end=True, on_drained=lambda: None)
        self.process = Adopted(self.children, stdio, self.codes.append)

    def turn(self) -> None:
        self.loop._is_running = True
        self.loop.after(0, self.loop.stop)
        self.loop.run()

    def until(self, check: Callable[[], object]) -> None:
        def turned() -> bool:
            self.turn()
            return bool(check())

        eventually(turned)


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    yield found
    found.process.let_go()
    found.children.close()


def test_the_end_of_a_started_process_is_told(world: World) -> None:
    world.process.adopt(children.fork(signal.pause))
    world.process.started()
    world.process.kill(signal.SIGTERM)
    world.until(lambda: world.codes)
    assert world.codes == [143] and world.process.exit_code == 143
    with pytest.raises(ProcessLookupError):
        world.process.kill(signal.SIGTERM)


def test_an_end_before_the_start_is_known_is_told_after_it(world: World) -> None:
    world.process.adopt(children.fork(lambda: os._exit(4)))
    world.until(lambda: world.process.exit_code is not None)
    assert world.codes == []
    world.process.started()
    assert world.codes == [4]


def test_one_that_ended_before_its_pid_was_known_is_adopted_all_the_same(world: World) -> None:
    world.children.expect()
    pid = children.fork(lambda: os._exit(6))
    world.until(lambda: world.children._ended)
    world.process.adopt(pid)
    assert world.process.pid == pid
    with pytest.raises(ProcessLookupError):
        world.process.kill(signal.SIGKILL)
    world.process.started()
    world.until(lambda: world.codes)
    assert world.codes == [6]


def test_an_abandoned_process_dies_in_silence(world: World) -> None:
    world.process.abandon()
    world.process.adopt(children.fork(signal.pause))
    world.process.abandon()
    world.process.started()
    world.until(lambda: world.process.exit_code is not None)
    world.process.abandon()
    assert world.codes == [] and world.process.exit_code == 137


def test_the_pid_is_read_from_the_file_that_the_runtime_wrote(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with pytest.raises(FileNotFoundError):
        read_pid(str(path))
    path.write_text("12\n")
    assert read_pid(str(path)) == 12
    path.write_text("")
    with pytest.raises(OSError, match="wrote no process id"):
        read_pid(str(path))
