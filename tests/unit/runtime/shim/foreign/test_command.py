import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.oci_runtime import OciRuntime
from sampan.runtime.restrict import StageError
from sampan.runtime.shim.foreign import command
from sampan.runtime.shim.foreign.children import Children
from sampan.runtime.shim.foreign.command import Commands, Result, last_error
from sampan.runtime.shim.loop import Loop
from support.waiting import eventually


class World:
    """Commands of a scripted runtime."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime = OciRuntime(folder / "bin")
        self.loop = Loop()
        self.children = Children(self.loop)
        self.results: list[Result] = []
        self.setting = self.runtime.setting
        self.commands = Commands(self.loop, self.children, self.setting, exec_dir=str(folder), id="c1")

    def run(self, verb: str, *options: str, **how: object) -> Result:
        self.commands.run(verb, *options, on_done=self.results.append, **how)  # type: ignore[arg-type]
        self.until(lambda: self.results)
        return self.results.pop()

    def until(self, check: Callable[[], object]) -> None:
        def turned() -> bool:
            self.turn()
            return bool(check())

        eventually(turned)

    def turn(self) -> None:
        self.loop._is_running = True
        self.loop.after(0, self.loop.stop)
        self.loop.run()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(command, "leave_host", lambda: None)
    found = World(tmp_path)
    yield found
    found.children.close()


def test_the_command_line_is_runcs(world: World) -> None:
    argv = command.command_line(world.setting, "/x", "/x/log", ["kill", "c1", "9"])
    usual = ["--root", "/x/runtime", "--log", "/x/log", "--log-format", "json"]
    assert argv == [str(world.runtime.path), "--own", *usual, "kill", "c1", "9"]


def test_a_command_that_succeeds_leaves_no_log(world: World) -> None:
    assert world.run("pause", "--flag", tail=("last",), prepare=lambda: os.mkdir(world.folder / "runtime")).error == ""
    assert world.runtime.calls() == [["pause", "--flag", "c1", "last"]]
    assert sorted(os.listdir(world.folder)) == ["bin", "runtime"]


def test_a_command_that_fails_says_why_in_the_last_line_of_its_log(world: World) -> None:
    world.runtime.fail("start", "no such container")
    result = world.run("start")
    assert (result.error, result.exit_code) == ("no such container", 0)
    assert os.listdir(world.folder) == ["bin"]


def test_a_failure_without_a_log_has_the_exit_status(world: World) -> None:
    result = world.run("unknown")
    assert "unable to retrieve OCI runtime error (open " in result.error
    assert result.error.endswith("log-1.json: no such file or directory): exit status 3")


def test_what_fails_before_the_runtime_is_executed_is_told_with_our_code(world: World) -> None:
    def prepare() -> None:
        raise StageError("chdir failed", 127)

    result = world.run("create", prepare=prepare)
    assert (result.error, result.exit_code) == ("chdir failed", 127)
    result = world.run("create", prepare=lambda: os.mkdir("/proc/x"))
    assert result.error.endswith(": /proc/x") and result.exit_code == 128
    result = world.run("create", prepare=lambda: [][0])
    assert result.error == "IndexError: list index out of range"
    assert world.runtime.calls() == []


def test_a_program_that_cannot_be_executed_is_named(world: World) -> None:
    world.setting["path"] = "/nonexistent/runtime"
    assert world.run("start").error == (
        "unable to run the runtime: exec /nonexistent/runtime: no such file or directory"
    )


def test_streams_are_the_commands_own_and_other_descriptors_are_not(world: World) -> None:
    world.runtime.path.write_text("#!/bin/sh\nread line; echo got $line; echo err >&2; ls /proc/self/fd >&2\n")
    given, output, error = os.pipe(), os.pipe(), os.pipe()
    os.set_inheritable(output[0], True)
    os.write(given[1], b"in\n")
    world.run("start", streams=(given[0], output[1], error[1]))
    assert os.read(output[0], 100) == b"got in\n"
    assert os.read(error[0], 100).split() == [b"err", b"0", b"1", b"2", b"3"], "3 is the folder that ls reads"
    for fd in (*given, *output, *error):
        os.close(fd)


def test_a_command_that_takes_too_long_is_killed(world: World) -> None:
    world.runtime.hang("delete")
    assert world.run("delete", timeout_s=0.05).error == "the runtime did not finish in time"


def test_a_command_that_was_in_time_is_not_killed_later(world: World) -> None:
    assert world.run("start", prepare=lambda: os._exit(0), timeout_s=2.0).error == ""
    world.until(lambda: not world.loop._timers)


def test_abandoned_commands_are_silent_and_what_follows_waits_for_their_end(world: World) -> None:
    world.runtime.hang("create")
    world.commands.run("create", on_done=world.results.append)
    world.until(world.runtime.verbs)
    done: list[bool] = []
    world.commands.abandon(lambda: done.append(True))
    assert done == []
    world.until(lambda: done)
    assert world.results == [] and world.children.expecting == 0
    world.commands.abandon(lambda: done.append(False))
    assert done == [True, False]


def test_abandoning_goes_on_without_a_command_that_will_not_die(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "KILL_PATIENCE_S", 0.01)
    world.runtime.hang("create")
    world.commands.run("create", on_done=world.results.append)
    world.until(world.runtime.verbs)
    done: list[bool] = []
    pid = world.commands._running[0].pid
    with monkeypatch.context() as context:
        context.setattr(os, "kill", lambda pid, number: None)
        world.commands.abandon(lambda: done.append(True))
    world.until(lambda: done)
    os.kill(pid, signal.SIGKILL)
    world.until(lambda: not world.commands._running)
    assert done == [True]


@pytest.mark.parametrize(
    ("log", "found"),
    [
        ("", ("", 0)),
        ("not json\n", ("", 0)),
        ('{"level":"error","msg":"a"}\n{"level":"warning","msg":"b"}\n', ("a", 0)),
        ('{"level":"error","msg":"a"}\n{"level":"fatal","msg":"b"}\ntorn {"', ("b", 0)),
        (json.dumps({"level": "error", "msg": "a", "exit_code": 126}), ("a", 126)),
        ("[1]\n", ("", 0)),
    ],
)
def test_the_last_error_of_a_log_counts(log: str, found: tuple[str, int]) -> None:
    assert last_error(log) == found
