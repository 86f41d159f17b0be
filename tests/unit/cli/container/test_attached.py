import fcntl
import gc
import os
import pty
import signal
import socket
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.cli.command import Context, Failure
from sampan.cli.container import attached
from sampan.cli.streams import Session
from sampan.client.engine import Engine
from sampan.client.hosts import parse_host
from sampan.errors import InvalidArgument, NotFound
from support.scripted_engine import Reply, ScriptedEngine, refuse, reply_json

Capture = pytest.CaptureFixture[str]
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
# A command leaves its connections to the end of the program, which a test is not.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Connections go while their warnings are off."""
    yield
    gc.collect()


@pytest.fixture
def no_terminal() -> Iterator[None]:
    """Descriptor 0 is an empty file for a while."""
    saved_fd, null_fd = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(null_fd, 0)
    os.close(null_fd)
    yield
    os.dup2(saved_fd, 0)
    os.close(saved_fd)


def context_of(engine: ScriptedEngine) -> Context:
    return Context("run", lambda: Engine(parse_host(engine.url)))


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def ended(said: bytes) -> socket.socket:
    """A connection on which the engine said this and closed its side."""
    ours, theirs = socket.socketpair()
    theirs.sendall(said)
    theirs.close()
    return ours


@pytest.mark.usefixtures("no_terminal")
def test_a_terminal_is_needed_only_where_its_keys_go_to_the_container() -> None:
    with pytest.raises(Failure, match=r"^the input device is not a TTY$"):
        attached.check_tty(tty=True, stdin=True)
    attached.check_tty(tty=True, stdin=False)
    attached.check_tty(tty=False, stdin=True)


def test_only_a_terminals_keys_are_watched() -> None:
    assert attached.key_watch("ctrl-x", tty=False) is None
    usual, own = attached.key_watch("", tty=True), attached.key_watch("ctrl-x", tty=True)
    assert usual is not None and own is not None
    assert usual.feed(b"\x10\x11") == (b"", True)
    assert own.feed(b"\x18") == (b"", True)


@pytest.mark.parametrize(
    ("streams", "keys", "query"),
    [
        ({"stdout", "stderr"}, "", {"stream": ["1"], "stdout": ["1"], "stderr": ["1"]}),
        ({"stdin"}, "", {"stream": ["1"], "stdin": ["1"]}),
        ({"stdout"}, "ctrl-x", {"stream": ["1"], "stdout": ["1"], "detachKeys": ["ctrl-x"]}),
    ],
)
def test_the_streams_and_the_keys_are_asked_for(
    tmp_path: Path, streams: set[str], keys: str, query: dict[str, list[str]]
) -> None:
    reply = Reply(101, headers=UPGRADE, takeover=lambda connection: connection.close())
    with ScriptedEngine(tmp_path, lambda _: reply) as engine:
        attached.attach(context_of(engine), "web", streams=streams, tty=True, detach_keys=keys)
    (request,) = engine.requests
    assert (request.method, request.path, request.query) == ("POST", "/containers/web/attach", query)
    assert (request.headers["connection"], request.headers["upgrade"]) == ("Upgrade", "tcp")


def test_wrong_keys_are_refused_before_the_connection_is_taken(tmp_path: Path) -> None:
    refused = pytest.raises(InvalidArgument, match="invalid detach keys")
    with ScriptedEngine(tmp_path, lambda _: Reply(101)) as engine, refused:
        attached.attach(context_of(engine), "web", streams={"stdout"}, tty=True, detach_keys="ctrl-")
    assert engine.requests == []


@pytest.mark.parametrize(("condition", "query"), [("", {}), ("removed", {"condition": ["removed"]})])
def test_the_exit_status_is_what_the_wait_answers(tmp_path: Path, condition: str, query: dict[str, list[str]]) -> None:
    with ScriptedEngine(tmp_path, lambda _: reply_json({"StatusCode": 7})) as engine:
        assert attached.exit_status(attached.begin_wait(context_of(engine), "web", condition=condition)) == 7
    assert [(request.path, request.query) for request in engine.requests] == [("/containers/web/wait", query)]


def test_a_wait_that_failed_in_the_engine_ends_with_125(tmp_path: Path) -> None:
    answer = reply_json({"StatusCode": 0, "Error": {"Message": "lost it"}})
    failed = pytest.raises(Failure, match=r"^Error waiting for container: lost it$")
    with ScriptedEngine(tmp_path, lambda _: answer) as engine, failed as caught:
        attached.exit_status(attached.begin_wait(context_of(engine), "web", condition=""))
    assert caught.value.exit_code == 125


def test_a_wait_for_what_is_not_there_fails_at_once(tmp_path: Path) -> None:
    missing = pytest.raises(NotFound, match="No such container: web")
    with ScriptedEngine(tmp_path, lambda _: refuse(404, "No such container: web")) as engine, missing:
        attached.begin_wait(context_of(engine), "web", condition="")


def test_each_stream_goes_to_its_descriptor(capfd: Capture) -> None:
    session = Session(ended(frame(2, b"oh\n") + frame(1, b"two\n")), frame(1, b"one\n"), tty=False)
    attached.converse(session, {"stdout", "stderr"}, tty=False)
    assert capfd.readouterr() == ("one\ntwo\n", "oh\n")


def test_a_stream_that_was_not_asked_for_is_not_shown(capfd: Capture) -> None:
    session = Session(ended(frame(1, b"out\n") + frame(2, b"err\n")), b"", tty=False)
    attached.converse(session, {"stderr"}, tty=False)
    assert capfd.readouterr() == ("", "err\n")


def test_a_terminals_stream_is_passed_as_it_is(capfd: Capture) -> None:
    session = Session(ended(b"\x1b[1mb"), b"a", tty=True)
    attached.converse(session, {"stdout"}, tty=True)
    assert capfd.readouterr() == ("a\x1b[1mb", "")


def test_the_size_is_followed_only_where_output_goes_to_a_terminal(capfd: Capture) -> None:
    followed: list[str] = []
    session = Session(ended(b""), b"", tty=True)
    attached.converse(session, {"stdout"}, tty=True, follow_size=lambda: followed.append("asked"))
    assert followed == []


def test_a_follower_sends_the_size_of_the_terminal_our_output_goes_to(tmp_path: Path) -> None:
    saved_fd, handler = os.dup(1), signal.getsignal(signal.SIGWINCH)
    master_fd, slave_fd = pty.openpty()
    fcntl.ioctl(slave_fd, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    os.dup2(slave_fd, 1)
    try:
        with ScriptedEngine(tmp_path, lambda _: Reply(200)) as engine:
            follow = attached.size_follower(context_of(engine), "/containers/web")
            assert engine.requests == []
            follow()
    finally:
        os.dup2(saved_fd, 1)
        signal.signal(signal.SIGWINCH, handler)
        for fd in (saved_fd, master_fd, slave_fd):
            os.close(fd)
    sent = [(request.path, request.query) for request in engine.requests]
    assert sent == [("/containers/web/resize", {"h": ["24"], "w": ["80"]})]
