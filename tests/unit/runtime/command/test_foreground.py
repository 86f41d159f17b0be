import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sampan.runtime.command import foreground
from support import children
from support.terminal import Terminal
from support.waiting import eventually

# Not for ever, should a test fail.
LOOP = "for i in $(seq 1000); do sleep 0.01; done"
SIZED = "until [ '$(stty size)' != '0 0' ]; do :; done; ".replace("'", '"')
# Waits for a shell on a terminal of its own, as `run` does for a container's process.
ON_TERMINAL = """
import os, sys
sys.path[:0] = {path!r}
from sampan.runtime.command import foreground
master, slave = os.openpty()
pid = os.fork()
if not pid:
    os.login_tty(slave)
    os.execv("/bin/sh", ["sh", "-c", {script!r}])
os.close(slave)
code = foreground.wait(pid, os.pidfd_open(pid), foreground.listen(), master)
if os.isatty(0):
    import termios
    print("cooked" if termios.tcgetattr(0)[3] & termios.ICANON else "raw", flush=True)
os._exit(code)
"""


def waiting_for(script: str, then: "Callable[[int], object]" = int) -> int:
    """The code that `wait` has for a shell; meanwhile `then` is called with the pid of who waits."""

    def wait() -> None:
        wakeup = foreground.listen()
        child = subprocess.Popen(["sh", "-c", script])
        code = foreground.wait(child.pid, os.pidfd_open(child.pid), wakeup)
        os._exit(code)

    pid = children.fork(wait)
    then(pid)
    return children.code(pid)


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill $$", 143)])
def test_the_code_is_the_programs_or_128_and_its_signal(script: str, code: int) -> None:
    assert waiting_for(script) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGRTMIN + 3])
def test_signals_are_passed_on_and_do_not_end_the_wait(number: int, tmp_path: Path) -> None:
    script = f"trap 'exit 9' {number}; echo > {tmp_path}/ready; {LOOP}"

    def send(pid: int) -> None:
        eventually((tmp_path / "ready").exists)
        os.kill(pid, number)

    assert waiting_for(script, send) == 9


def test_what_is_our_own_affair_is_not_passed_on(tmp_path: Path) -> None:
    script = f"trap 'exit 9' CHLD URG PIPE; echo > {tmp_path}/ready; read line < {tmp_path}/fifo; exit 4"
    os.mkfifo(tmp_path / "fifo")

    def send(pid: int) -> None:
        eventually((tmp_path / "ready").exists)
        os.kill(pid, signal.SIGCHLD)
        os.kill(pid, signal.SIGPIPE)
        (tmp_path / "fifo").write_text("go on\n")

    assert waiting_for(script, send) == 4


class Ready:
    """Something to listen to besides (`notify.Waiting`)."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.seen: list[bytes] = []
        self.is_closed = False

    def fileno(self) -> int:
        return self.read

    def take(self, pid: int) -> bool:
        self.seen.append(os.read(self.read, 1))
        return self.seen[-1] == b"2"

    def close(self) -> None:
        self.is_closed = True


def test_readiness_is_taken_until_it_is_said() -> None:
    def wait() -> None:
        ready: Any = Ready()
        for piece in (b"1", b"2", b"3"):
            os.write(ready.write, piece)
        child = subprocess.Popen(["sleep", "0.05"])
        foreground.wait(child.pid, os.pidfd_open(child.pid), foreground.listen(), -1, ready)
        assert ready.seen == [b"1", b"2"] and ready.is_closed

    assert children.code_of(wait) == 0


def command(script: str) -> list[str]:
    return [sys.executable, "-IS", "-c", ON_TERMINAL.format(path=sys.path, script=script)]


def test_our_terminal_is_passed_through_and_given_back() -> None:
    script = SIZED + "stty size; read line; echo got $line; exit 5"
    with Terminal(command(script), dict(os.environ), rows=31, columns=97) as terminal:
        terminal.wait_text("31 97")
        terminal.send("a word\r")
        terminal.wait_text("got a word")
        terminal.wait_text("cooked")
        assert terminal.wait_exit() == 5


def test_the_size_follows_and_control_c_is_the_containers() -> None:
    script = f"trap 'stty size' WINCH; trap 'exit 6' INT; echo ready; {LOOP}"
    with Terminal(command(script), dict(os.environ)) as terminal:
        terminal.wait_text("ready")
        terminal.resize(20, 60)
        terminal.wait_text("20 60")
        terminal.send("\x03")
        assert terminal.wait_exit() == 6


def test_pipes_are_carried_and_their_end_is_the_end_of_input() -> None:
    text = "line\n" * 20
    done = subprocess.run(command("stty -echo; cat; echo over; exit 3"), input=text, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert done.stdout.replace("\r", "").endswith("over\n")
    assert done.stdout.count("line") >= 20


def test_all_output_arrives_however_slowly_it_is_read() -> None:
    done = subprocess.run(
        command("head -c 300000 /dev/zero | tr '\\0' x; echo; echo the end"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("x") == 300000 and "the end" in done.stdout


def test_nobody_looking_does_not_end_the_container() -> None:
    with tempfile.TemporaryDirectory() as folder:
        read, write = os.pipe()
        os.close(read)
        script = f"for i in 1 2 3; do echo noise; sleep 0.02; done; echo > {folder}/finished; exit 4"
        done = subprocess.run(command(script), stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        assert done.returncode == 4, done.stderr
        assert os.listdir(folder) == ["finished"]


def test_a_terminal_begins_with_the_size_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    process: dict[str, Any] = {"consoleSize": {"height": 1, "width": 2}}
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((97, 31)))
    foreground.fit(process)
    assert process == {"consoleSize": {"height": 31, "width": 97}}


def test_without_one_the_size_of_the_config_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int) -> os.terminal_size:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(os, "get_terminal_size", refuse)
    process: dict[str, Any] = {}
    foreground.fit(process)
    assert process == {}
