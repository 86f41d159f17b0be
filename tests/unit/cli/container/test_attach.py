import fcntl
import gc
import os
import pty
import signal
import socket
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sampan.cli import signals
from support.scripted_engine import Reply, Request, ScriptedEngine, refuse, reply_json

Sampan = Callable[..., tuple[int, str, str]]
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
# A command leaves its connections to the end of the program, which a test is not.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
RUNNING = {"Running": True, "Paused": False, "Restarting": False}


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers that were there come back: they are the whole test run's. Connections go with warnings off."""
    before = {number: signal.getsignal(number) for number in (*signals.PROXIED, signal.SIGWINCH)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    gc.collect()


@contextmanager
def terminal_with(typed: bytes) -> Iterator[None]:
    """Descriptors 0 and 1 are a terminal of 24 by 80 where this was typed. No fixture: pytest moves 1 after those."""
    master_fd, slave_fd = pty.openpty()
    fcntl.ioctl(slave_fd, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    saved = [(os.dup(fd), fd) for fd in (0, 1)]
    for _, fd in saved:
        os.dup2(slave_fd, fd)
    os.write(master_fd, typed)
    try:
        yield
    finally:
        for copy_fd, fd in saved:
            os.dup2(copy_fd, fd)
            os.close(copy_fd)
        os.close(slave_fd)
        os.close(master_fd)


def container(
    *,
    state: dict[str, bool] = RUNNING,
    tty: bool = False,
    open_stdin: bool = False,
    takeover: Callable[[socket.socket], None] = lambda connection: None,
) -> Callable[[Request], Reply]:
    """An engine that has the container `web`, whose id is c1."""
    shown: dict[str, Any] = {"Id": "c1", "State": state, "Config": {"Tty": tty, "OpenStdin": open_stdin}}

    def answer(request: Request) -> Reply:
        if request.path == "/containers/web/wait":
            return reply_json({"StatusCode": 3})
        if request.path == "/containers/web/json":
            return reply_json(shown)
        if request.path == "/containers/c1/attach":
            return Reply(101, headers=UPGRADE, takeover=takeover)
        return Reply(200)

    return answer


def say(connection: socket.socket) -> None:
    for stream, text in ((1, b"out\n"), (2, b"err\n")):
        connection.sendall(bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text)


def until_end(connection: socket.socket) -> None:
    while connection.recv(4096):
        continue


def attach_query(engine: ScriptedEngine) -> dict[str, list[str]]:
    (request,) = [request for request in engine.requests if request.path.endswith("/attach")]
    return request.query


def test_its_streams_become_ours_and_its_exit_code_too(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, container(takeover=say)) as engine:
        assert sampan("-H", engine.url, "attach", "--sig-proxy=false", "web") == (3, "out\n", "err\n")
    assert attach_query(engine) == {"stream": ["1"], "stdout": ["1"], "stderr": ["1"]}


def test_the_wait_is_registered_before_anything_else(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, container()) as engine:
        sampan("-H", engine.url, "attach", "--sig-proxy=false", "web")
    asked = [request.path for request in engine.requests]
    assert asked == ["/containers/web/wait", "/containers/web/json", "/containers/c1/attach"]


@pytest.mark.parametrize(
    ("open_stdin", "words", "is_attached"), [(True, [], True), (True, ["--no-stdin"], False), (False, [], False)]
)
def test_input_is_attached_where_the_container_has_one_and_we_want_it(
    sampan: Sampan, tmp_path: Path, open_stdin: bool, words: list[str], is_attached: bool
) -> None:
    with ScriptedEngine(tmp_path, container(open_stdin=open_stdin)) as engine:
        assert sampan("-H", engine.url, "attach", "--sig-proxy=false", *words, "web")[0] == 3
    assert ("stdin" in attach_query(engine)) == is_attached


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"Running": False}, "You cannot attach to a stopped container, start it first"),
        ({"Paused": True}, "You cannot attach to a paused container, unpause it first"),
        ({"Restarting": True}, "You cannot attach to a restarting container, wait until it is running"),
    ],
)
def test_a_container_that_does_not_run_is_not_attached_to(
    sampan: Sampan, tmp_path: Path, changed: dict[str, bool], message: str
) -> None:
    with ScriptedEngine(tmp_path, container(state=RUNNING | changed)) as engine:
        code, out, err = sampan("-H", engine.url, "attach", "web")
    assert (code, out) == (1, "")
    assert message in err
    assert not [request for request in engine.requests if request.path.endswith("/attach")]


def test_a_container_that_is_not_there_is_told(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: refuse(404, "No such container: web")) as engine:
        code, out, err = sampan("-H", engine.url, "attach", "web")
    assert (code, out) == (1, "")
    assert "No such container: web" in err


@pytest.mark.parametrize(("words", "is_proxied"), [([], True), (["--sig-proxy=false"], False)])
def test_signals_are_the_containers_unless_they_are_kept(
    sampan: Sampan, tmp_path: Path, words: list[str], is_proxied: bool
) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with ScriptedEngine(tmp_path, container()) as engine:
        sampan("-H", engine.url, "attach", *words, "web")
        assert (signal.getsignal(signal.SIGUSR1) is not before) == is_proxied
        if is_proxied:
            signal.raise_signal(signal.SIGUSR1)
    killed = [request.query for request in engine.requests if request.path == "/containers/c1/kill"]
    assert killed == ([{"signal": ["USR1"]}] if is_proxied else [])


def test_the_detach_keys_end_the_command_and_not_the_container(sampan: Sampan, tmp_path: Path) -> None:
    answer = container(tty=True, open_stdin=True, takeover=until_end)
    with ScriptedEngine(tmp_path, answer) as engine, terminal_with(b"xy"):
        code, _, err = sampan("-H", engine.url, "attach", "--detach-keys", "x,y", "web")
    assert code == 1
    assert "read escape sequence" in err
    assert attach_query(engine)["detachKeys"] == ["x,y"]


def test_a_terminal_is_told_a_size_that_changes_so_that_programs_redraw(sampan: Sampan, tmp_path: Path) -> None:
    answer = container(tty=True, open_stdin=True, takeover=until_end)
    with ScriptedEngine(tmp_path, answer) as engine, terminal_with(b"xy"):
        sampan("-H", engine.url, "attach", "--detach-keys", "x,y", "web")
    sizes = [request.query for request in engine.requests if request.path == "/containers/c1/resize"]
    assert sizes == [{"h": ["25"], "w": ["81"]}, {"h": ["24"], "w": ["80"]}]
