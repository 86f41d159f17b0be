"""`sampan` as a process: its streams, its signals and its terminal, against an engine that answers from a script."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import sampan
from support.scripted_engine import Reply, Request, ScriptedEngine, reply_json
from support.terminal import Terminal
from support.waiting import eventually

SOURCE = os.path.dirname(os.path.dirname(sampan.__file__))
PROGRAM = [
    sys.executable,
    "-I",
    "-S",
    "-c",
    f"import sys; sys.path.insert(0, {SOURCE!r}); from sampan.cli.main import start; start()",
]
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
TIMEOUT_S = 60


def frame(stream: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(payload)) + payload


class OneContainer:
    """A scripted engine's container: `act` is its program, on the attached socket; it ends with `exit_code`."""

    def __init__(self, folder: Path, act: Callable[[socket.socket], int]) -> None:
        self._act = act
        self._ended = threading.Event()
        self._exit_code = 0
        self.killed = threading.Event()
        self.engine = ScriptedEngine(folder, self._answer)

    def _answer(self, request: Request) -> Reply:
        match request.path.rpartition("/")[2]:
            case "create":
                return reply_json({"Id": "c1", "Warnings": []}, 201)
            case "attach" | "start" if request.headers.get("upgrade") == "tcp":
                return Reply(101, headers=UPGRADE, takeover=self._run)
            case "exec":
                return reply_json({"Id": "e1"}, 201)
            case "wait":
                return Reply(200, headers={"Content-Type": "application/json"}, takeover=self._send_status)
            case "kill":
                self.killed.set()
                return Reply(204)
            case "json":
                return reply_json({"ExitCode": self._exit_code})
        return Reply(204)

    def _run(self, stream: socket.socket) -> None:
        self._exit_code = self._act(stream)
        self._ended.set()

    def _send_status(self, stream: socket.socket) -> None:
        self._ended.wait(TIMEOUT_S)
        stream.sendall(b'{"StatusCode":%d}\n' % self._exit_code)

    def paths(self) -> list[str]:
        return [request.path for request in self.engine.requests]


def environment(engine: ScriptedEngine) -> dict[str, str]:
    return {"SAMPAN_HOST": engine.url, "PATH": os.environ["PATH"], "TERM": "xterm"}


def test_piped_bytes_go_through_and_come_back_whole(tmp_path: Path) -> None:
    payload = os.urandom(1 << 20) * 32

    def cat(stream: socket.socket) -> int:
        while piece := stream.recv(1 << 16):
            stream.sendall(frame(1, piece))
        stream.sendall(frame(2, b"saw the end"))
        return 7

    container = OneContainer(tmp_path, cat)
    with container.engine:
        done = subprocess.run(
            [*PROGRAM, "run", "-i", "--rm", "web", "cat"],
            env=environment(container.engine),
            input=payload,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert (done.returncode, done.stderr) == (7, b"saw the end")
    assert done.stdout == payload
    # What must be listening before the start is asked for before it.
    assert container.paths() == [
        "/containers/create",
        "/containers/c1/attach",
        "/containers/c1/wait",
        "/containers/c1/start",
    ]


def test_a_signal_of_ours_is_the_containers(tmp_path: Path) -> None:
    started = threading.Event()

    def until_killed(stream: socket.socket) -> int:
        stream.sendall(frame(1, b"ready\n"))
        started.set()
        container.killed.wait(TIMEOUT_S)
        stream.sendall(frame(1, b"bye\n"))
        return 143

    container = OneContainer(tmp_path, until_killed)
    with container.engine:
        process = subprocess.Popen(
            [*PROGRAM, "run", "web"],
            env=environment(container.engine),
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b"bye\n"
        assert process.wait(TIMEOUT_S) == 143
        process.stdout.close()
    kill = next(request for request in container.engine.requests if request.path.endswith("/kill"))
    assert (kill.path, kill.query) == ("/containers/c1/kill", {"signal": ["TERM"]})


def test_a_terminal_is_raw_has_its_size_and_detaches(tmp_path: Path) -> None:
    typed = bytearray()

    def shell(stream: socket.socket) -> int:
        stream.sendall(b"# ")
        while piece := stream.recv(100):
            typed.extend(piece)
        return 0

    container = OneContainer(tmp_path, shell)
    with container.engine:
        argv = [*PROGRAM, "exec", "-it", "web", "sh"]
        with Terminal(argv, environment(container.engine), rows=33, columns=77) as terminal:
            terminal.wait_text("# ")
            eventually(lambda: "/exec/e1/resize" in container.paths())
            terminal.send("ls\r\x03")
            eventually(lambda: bytes(typed) == b"ls\r\x03")
            terminal.send("\x10\x11")
            assert terminal.wait_exit() == 1
    sizes = [request.query for request in container.engine.requests if request.path.endswith("/resize")]
    assert sizes[0] == {"h": ["33"], "w": ["77"]}
    assert b"\x10" not in typed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "-it", "web"], b"the input device is not a TTY\n"),
        (["exec", "-it", "web", "sh"], b"the input device is not a TTY\n"),
    ],
)
def test_a_terminal_is_not_made_of_a_pipe(tmp_path: Path, words: list[str], message: bytes) -> None:
    container = OneContainer(tmp_path, lambda _: 0)
    with container.engine:
        done = subprocess.run(
            [*PROGRAM, *words],
            env=environment(container.engine),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, message)
    assert container.paths() == []


def test_a_reader_that_leaves_ends_the_command_quietly(tmp_path: Path) -> None:
    rows = [{"Id": f"{n:064x}", "Image": "i", "Created": 1, "Command": "c", "Names": [f"/n{n}"]} for n in range(5000)]
    with ScriptedEngine(tmp_path, lambda _: reply_json(rows)) as engine:
        process = subprocess.Popen(
            [*PROGRAM, "ps", "--no-trunc"], env=environment(engine), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(TIMEOUT_S), process.stderr.read()) == (141, b"")
        process.stderr.close()
