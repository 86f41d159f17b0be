"""kill -9 of sampand, the launcher, shims and inits at random moments during starts and stops.

Afterwards: running containers run on with complete logs, attach and exec work on them, exit codes of containers that
ended meanwhile are right, and nothing is leaked. 220 starts in all. SAMPAN_TEST_SEED repeats a run.
"""

import contextlib
import json
import os
import random
import signal
import time
import urllib.request
from collections.abc import Iterator

import pytest

from support import rootfs
from support.api import Api, Refused, UnixConnection
from support.churn import Churn, check_endings
from support.engine import import_image
from support.sampand import Sampand
from support.waiting import eventually

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_busybox,
    pytest.mark.needs_sampand,
]
IMAGE = "base:1"
TICK = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done"
KILLED = frozenset({137})


@pytest.fixture
def chance() -> random.Random:
    """The source of random moments; the seed is printed with a failure."""
    seed = int(os.environ.get("SAMPAN_TEST_SEED") or random.randrange(1 << 32))
    print(f"SAMPAN_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def running(daemon: Sampand) -> Iterator[Sampand]:
    """A started daemon with an image; afterwards nothing may be left of its containers."""
    daemon.start()
    import_image(daemon.api, IMAGE)
    yield daemon


class Survivors:
    """Containers that must not notice: one counts into its log, one serves a page on a published port."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.ticker = api.started(IMAGE, "sh", "-c", TICK, name="ticker", OpenStdin=True)
        publish = {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}
        self.web = api.started(IMAGE, "httpd", "-f", "-h", "/www", name="web", host=publish)
        self.pids = self._pids()
        self.port = api.inspect(self.web)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
        self.check()

    def _pids(self) -> list[int]:
        return [self.api.inspect(ref)["State"]["Pid"] for ref in (self.ticker, self.web)]

    def check(self) -> None:
        """They are the same processes, nothing of the log is lost, attach and exec and the port work."""
        assert self._pids() == self.pids
        count = len(self.api.logs(self.ticker).split())
        eventually(lambda: len(self.api.logs(self.ticker).split()) > count + 2)
        numbers = [int(line) for line in self.api.logs(self.ticker).split()]
        assert numbers == list(range(len(numbers)))
        assert int(first_output(self.api, self.ticker)) >= len(numbers) - 1
        assert self.api.exec(self.ticker, "echo", "here") == (0, b"here\n")
        eventually(lambda: fetch(self.port) == rootfs.PAGE)


def fetch(port: str) -> bytes:
    """The page on a published port, or nothing."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/index.html", timeout=5) as response:
            return bytes(response.read())
    except OSError:
        return b""


def first_output(api: Api, ref: str) -> bytes:
    """The first frame that an attached client gets."""
    connection = UnixConnection(api.socket_path, timeout_s=10)
    connection.connect()
    with connection.sock as stream:
        head = f"POST /containers/{ref}/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: x\r\n"
        stream.sendall(f"{head}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
        seen = b""
        while len(frame := seen.partition(b"\r\n\r\n")[2]) < 8 or len(frame) < 8 + int.from_bytes(frame[4:8], "big"):
            received = stream.recv(4096)
            assert received, f"the attached stream ended: {seen!r}"
            seen += received
        return frame[8 : 8 + int.from_bytes(frame[4:8], "big")]


def parent(pid: int) -> int:
    """The parent of a process."""
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(") ")[2].split()[1])


def kill(pid: int) -> None:
    """kill -9, where it still is."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def finish(daemon: Sampand) -> None:
    """Remove all; nothing may be left."""
    daemon.remove_containers()
    daemon.assert_nothing_left()


def test_sampand_killed_during_starts_and_stops(running: Sampand, chance: random.Random) -> None:
    survivors = Survivors(running.api)
    with Churn(running.api, IMAGE, count=80, chance=chance) as churn:
        for moment in range(10, 80, 14):
            churn.wait_begun(moment)
            time.sleep(chance.random() * 0.05)
            running.note_ids()
            running.kill()
            time.sleep(chance.random() * 0.1)
            running.restart()
            survivors.check()
        churn.wait_done()
    check_endings(running.api, churn)
    survivors.check()
    finish(running)


def test_launcher_killed_during_starts_and_stops(running: Sampand, chance: random.Random) -> None:
    survivors = Survivors(running.api)
    with Churn(running.api, IMAGE, count=60, chance=chance) as churn:
        for moment in range(10, 60, 12):
            churn.wait_begun(moment)
            time.sleep(chance.random() * 0.05)
            victim = running.launcher_pid()
            kill(victim)
            eventually(lambda gone=victim: running.launcher_pid() != gone)
        churn.wait_done()
    check_endings(running.api, churn)
    survivors.check()
    assert running.api.wait(running.api.started(IMAGE, "sh", "-c", "exit 3")) == 3
    finish(running)


@pytest.mark.parametrize("victim", ["shim", "init"])
def test_shims_and_inits_killed_during_starts_and_stops(running: Sampand, chance: random.Random, victim: str) -> None:
    survivors = Survivors(running.api)
    spared = {running.pid, running.launcher_pid(), *survivors.pids, *map(parent, survivors.pids)}
    with Churn(running.api, IMAGE, count=40, chance=chance, also=KILLED) as churn:
        while not churn.is_done():
            time.sleep(chance.random() * 0.05)
            for pid in random_inits(running, spared)[:1]:
                with contextlib.suppress(FileNotFoundError):
                    target = parent(pid) if victim == "shim" else pid
                    if target > 1 and target not in spared:
                        kill(target)
    check_endings(running.api, churn)
    survivors.check()
    finish(running)


def random_inits(daemon: Sampand, spared: set[int]) -> list[int]:
    """First processes of running containers, but for the spared."""
    found = []
    for entry in daemon.api("GET", "/containers/json"):
        with contextlib.suppress(Refused):
            found.append(daemon.api.inspect(entry["Id"])["State"]["Pid"])
    return [pid for pid in found if pid > 1 and pid not in spared]


def test_a_dead_shim_ends_its_container_with_137_and_takes_its_processes_along(running: Sampand) -> None:
    made = running.api.started(IMAGE, "sh", "-c", "sleep 100 & sleep 100")
    init = running.api.inspect(made)["State"]["Pid"]
    kill(parent(init))
    assert running.api.wait(made) == 137
    eventually(lambda: not os.path.exists(f"/proc/{init}"))
    finish(running)


def test_a_killed_init_is_137_and_not_out_of_memory(running: Sampand) -> None:
    made = running.api.started(IMAGE, "sleep", "100")
    kill(running.api.inspect(made)["State"]["Pid"])
    assert running.api.wait(made) == 137
    assert running.api.inspect(made)["State"]["OOMKilled"] is False
    finish(running)


def test_exit_codes_of_containers_that_end_while_the_daemon_is_away(running: Sampand) -> None:
    made = [running.api.started(IMAGE, "sh", "-c", f"sleep 0.3; echo last words; exit {code}") for code in (0, 5, 66)]
    gone = running.api.started(IMAGE, "sleep", "0.3", host={"AutoRemove": True})
    pids = [running.api.inspect(ref)["State"]["Pid"] for ref in (*made, gone)]
    running.note_ids()
    running.kill()
    eventually(lambda: not [pid for pid in pids if os.path.exists(f"/proc/{pid}")])
    running.restart()
    states = [running.api.inspect(ref)["State"] for ref in made]
    assert [(state["Status"], state["ExitCode"]) for state in states] == [("exited", 0), ("exited", 5), ("exited", 66)]
    assert [running.api.logs(ref) for ref in made] == [b"last words\n"] * 3
    eventually(lambda: gone not in running.containers())
    finish(running)


def test_sigterm_leaves_containers_running_and_a_new_daemon_finds_them(running: Sampand) -> None:
    survivors = Survivors(running.api)
    for _ in range(2):
        running.stop()
        running.restart()
        survivors.check()
    assert running.api("GET", "/images/json")[0]["RepoTags"] == [IMAGE]
    finish(running)


def test_an_exec_outlives_the_daemon_and_tells_its_exit_code(running: Sampand) -> None:
    made = running.api.started(IMAGE, "sleep", "100")
    body = {"Cmd": ["sh", "-c", "while [ ! -e /go ]; do sleep 0.02; done; touch /went; exit 8"]}
    exec_id = running.api("POST", f"/containers/{made}/exec", body)["Id"]
    running.api("POST", f"/exec/{exec_id}/start", {"Detach": True})
    running.kill()
    running.restart()
    running.api.exec(made, "touch", "/go")
    eventually(lambda: running.api.exec(made, "test", "-e", "/went")[0] == 0)
    finish(running)


def test_an_attached_client_is_not_cut_off_by_the_death_of_the_daemon(running: Sampand) -> None:
    made = running.api.create(IMAGE, "sh", "-c", "while read word; do echo got $word; done", OpenStdin=True)
    connection = UnixConnection(running.socket_path, timeout_s=10)
    connection.connect()
    with connection.sock as stream:
        head = f"POST /containers/{made}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\n"
        stream.sendall(f"{head}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
        assert b" 101 " in stream.recv(4096)
        running.api.start(made)
        for word in (b"before", b"while", b"after"):
            stream.sendall(word + b"\n")
            eventually(lambda word=word: b"got " + word in stream.recv(4096))
            if word == b"before":
                running.kill()
            if word == b"while":
                running.restart()
    finish(running)


def test_killing_the_daemon_before_it_ever_had_a_container_leaves_a_usable_root(running: Sampand) -> None:
    for _ in range(3):
        running.kill()
        running.restart()
    document = json.loads(json.dumps(running.api("GET", "/info")))
    assert document["Containers"] == 0 and document["Images"] == 1
    assert running.api.wait(running.api.started(IMAGE, "true")) == 0
    finish(running)
