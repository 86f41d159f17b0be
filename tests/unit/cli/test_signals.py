import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.cli import signals
from sampan.cli.command import Context
from sampan.client.engine import Engine
from sampan.client.hosts import parse_host
from support.scripted_engine import Reply, ScriptedEngine, refuse


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers that were there come back: they are the whole test run's."""
    before = {number: signal.getsignal(number) for number in (*signals.PROXIED, signal.SIGWINCH)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def terminal_fd() -> Iterator[int]:
    master_fd, slave_fd = pty.openpty()
    set_size(slave_fd, 33, 77)
    yield slave_fd
    os.close(slave_fd)
    os.close(master_fd)


def set_size(fd: int, rows: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def context_of(engine: ScriptedEngine) -> Context:
    return Context("run", lambda: Engine(parse_host(engine.url)))


@pytest.mark.parametrize(
    ("number", "name"),
    [(signal.SIGINT, "INT"), (signal.SIGTERM, "TERM"), (signal.SIGHUP, "HUP"), (signal.SIGUSR1, "USR1")],
)
def test_a_signal_of_ours_is_sent_to_the_container(tmp_path: Path, number: signal.Signals, name: str) -> None:
    with ScriptedEngine(tmp_path, lambda _: Reply(204)) as engine:
        signals.proxy(context_of(engine), "web")
        signal.raise_signal(number)
    (request,) = engine.requests
    assert (request.method, request.path, request.query) == ("POST", "/containers/web/kill", {"signal": [name]})


def test_a_signal_that_the_container_did_not_live_to_see_is_dropped(tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: refuse(409, "container web is not running")) as engine:
        signals.proxy(context_of(engine), "web")
        signal.raise_signal(signal.SIGTERM)
    assert len(engine.requests) == 1


def test_a_signal_may_come_when_the_engine_has_gone(tmp_path: Path) -> None:
    context = Context("run", lambda: Engine(parse_host(f"unix://{tmp_path}/none.sock")))
    signals.proxy(context, "web")
    signal.raise_signal(signal.SIGTERM)


def test_the_signals_that_are_our_own_business_keep_their_handlers(tmp_path: Path) -> None:
    own = (signal.SIGCHLD, signal.SIGPIPE, signal.SIGURG, signal.SIGWINCH, signal.SIGTSTP)
    before = [signal.getsignal(number) for number in own]
    signals.proxy(Context("run", lambda: Engine(parse_host("unix:///nonexistent"))), "web")
    assert [signal.getsignal(number) for number in own] == before


@pytest.mark.parametrize("number", sorted(signals.PROXIED))
def test_a_proxied_signal_has_its_own_name(number: int) -> None:
    assert signal.Signals(number).name == f"SIG{signals.PROXIED[number]}"


def test_the_size_is_sent_now_and_whenever_it_changes(tmp_path: Path, terminal_fd: int) -> None:
    with ScriptedEngine(tmp_path, lambda _: Reply(200)) as engine:
        signals.follow_size(context_of(engine), "/exec/e1", terminal_fd)
        set_size(terminal_fd, 20, 90)
        signal.raise_signal(signal.SIGWINCH)
    assert [(request.path, request.query) for request in engine.requests] == [
        ("/exec/e1/resize", {"h": ["33"], "w": ["77"]}),
        ("/exec/e1/resize", {"h": ["20"], "w": ["90"]}),
    ]


def test_a_size_may_be_sent_grown(tmp_path: Path, terminal_fd: int) -> None:
    with ScriptedEngine(tmp_path, lambda _: Reply(200)) as engine:
        signals.resize(context_of(engine), "/containers/web", terminal_fd, grow=1)
    assert [request.query for request in engine.requests] == [{"h": ["34"], "w": ["78"]}]


def test_a_size_that_cannot_be_set_is_no_failure(tmp_path: Path, terminal_fd: int) -> None:
    with ScriptedEngine(tmp_path, lambda _: refuse(409, "container web is not running")) as engine:
        signals.resize(context_of(engine), "/containers/web", terminal_fd)
    assert len(engine.requests) == 1


def test_without_a_known_size_nothing_is_sent(tmp_path: Path, terminal_fd: int) -> None:
    set_size(terminal_fd, 0, 0)
    with ScriptedEngine(tmp_path, lambda _: Reply(200)) as engine:
        signals.resize(context_of(engine), "/containers/web", terminal_fd)
        with (tmp_path / "file").open("w") as file:
            signals.resize(context_of(engine), "/containers/web", file.fileno())
    assert engine.requests == []
