"""The shim's life without a container: its first process is a plain fork of the test, its cgroup is never made."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sampan
from sampan.runtime import ground, message
from sampan.runtime.cgroup.detect import Hierarchies, cgroup_for
from sampan.runtime.cgroup.v2 import CgroupV2
from sampan.runtime.request import AttachStream, InitOrders, ShimOrders
from sampan.runtime.shim import main
from sampan.runtime.shim.main import Shim
from sampan.runtime.shim.process import Pipes, Process
from support import children
from support.waiting import eventually


class World:
    """A shim and, at the other end of its control connection, the daemon."""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.exec_dir, self.exit_path, self.log_path = folder / "exec", folder / "exit.json", folder / "log"
        orders: dict[str, Any] = {
            "id": "c1",
            "tty": False,
            "open_stdin": False,
            "stdin_once": False,
            "exec_dir": str(self.exec_dir),
            "exit_path": str(self.exit_path),
            "log": {"driver": "json-file", "path": str(self.log_path), "max_size": 0, "max_file": 1},
            "cgroup_path": f"/sampan-unit-{os.getpid()}/c1",
            "birth_flags": 0,
            "join_flags": 0,
            **changes,
        }
        spec = {"linux": {"cgroupsPath": orders["cgroup_path"]}}
        own = {"spec": spec, "rootfs": [], "user": "", "groups": [], "create_cwd": False, "filter": None}
        self.init_orders = InitOrders({**orders, **own})
        self.sockets: list[socket.socket] = []
        self.far, near = self.pair()
        self.shim = Shim(ShimOrders(orders), near)
        self.pid = 0
        self._numbers = 0

    def pair(self) -> tuple[socket.socket, socket.socket]:
        far, near = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        far.settimeout(5)
        self.sockets.append(far)
        return far, near

    def bear(self, life: Callable[[socket.socket], object], *, lays_ground: bool = True) -> None:
        """Give the shim a first process."""
        pipes = Pipes(with_input=self.shim.orders.open_stdin)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def live() -> None:
            # What execve closes in a real container's process.
            for sock in (ours, *self.sockets):
                sock.close()
            pipes.close_ours()
            for number, fd in enumerate(pipes.theirs):
                os.dup2(fd, number)
            if lays_ground:
                listener = ground.lay_out(self.init_orders, cgroup_for(self.shim.orders.cgroup_path))
                message.send(theirs, {"event": "prepared"}, [listener.fileno()])
                listener.close()
            life(theirs)

        self.pid = children.fork(live)
        theirs.close()
        pipes.close_theirs()
        self.shim.stdio.open_pipes(*pipes.ours)
        shim = self.shim
        shim.init = Process(
            shim.loop,
            self.pid,
            os.pidfd_open(self.pid),
            ours,
            shim.stdio,
            on_start=shim._init_started,
            on_exit=shim._init_ended,
            on_event=shim._init_says,
        )

    def turn(self) -> bool:
        """One turn of the shim's loop; False when it wants to leave."""
        loop = self.shim.loop
        if not loop._is_running:
            return False
        stopped: list[bool] = []

        def pause() -> None:
            stopped.append(not loop._is_running)
            loop.stop()

        loop.after(0, pause)
        loop.run()
        if stopped == [False]:
            loop._is_running = True
        return loop._is_running

    def until(self, check: Callable[[], object]) -> None:
        def turned() -> bool:
            self.turn()
            return bool(check())

        eventually(turned)

    def until_left(self) -> None:
        eventually(lambda: not self.turn())

    def send(self, do: str, *fds: int, **body: object) -> int:
        self._numbers += 1
        message.send(self.far, {"do": do, "seq": self._numbers, **body}, fds)
        return self._numbers

    def heard(self) -> dict[str, Any]:
        """The next message to the daemon, while the shim works."""
        self.far.setblocking(False)

        def arrived() -> tuple[dict[str, Any], list[int]] | None:
            self.turn()
            try:
                return message.receive(self.far)
            except BlockingIOError:
                return None

        return eventually(arrived)[0]  # type: ignore[index]

    def ask(self, do: str, *fds: int, **body: object) -> dict[str, Any]:
        number = self.send(do, *fds, **body)
        found = self.heard()
        assert found["seq"] == number
        return found

    def attach(self) -> socket.socket:
        far, near = socket.socketpair()
        far.settimeout(5)
        self.sockets.append(far)
        stream = AttachStream(near.fileno(), stdin=True, stdout=True, stderr=True, framed=False)
        assert self.ask("attach", near.fileno(), stream=stream.to_json())["ok"] == {}
        near.close()
        return far

    def is_clean(self) -> bool:
        return not self.exec_dir.exists()

    def close(self) -> None:
        shim = self.shim
        if shim.init is not None:
            if shim.init.exit_code is None:
                shim.init.abandon()
            os.close(shim.init.pidfd)
        shim.close()
        if shim.log is not None:
            shim.log.close(0)
        for connection in list(shim.connections):
            connection.close()
        shim._stop_listening()
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # a shim changes the working directory; this puts it back
    return tmp_path


@pytest.fixture
def world(folder: Path) -> Iterator[World]:
    found = World(folder)
    yield found
    found.close()


def gate(sync: socket.socket) -> None:
    """What init does, up to execve."""
    message.send(sync, {"event": "ready"})
    assert message.receive(sync) is not None
    sync.close()


def run_until_told(sync: socket.socket) -> None:
    gate(sync)
    os.read(0, 1)
    signal.pause()


def test_a_container_runs_and_its_record_is_written_before_anybody_hears_of_the_end(world: World) -> None:
    def program(sync: socket.socket) -> None:
        gate(sync)
        os.write(1, b"out\n")
        os.write(2, b"err\n")
        os._exit(3)

    world.bear(program)
    started = world.ask("start")["ok"]
    assert started["pid"] == world.pid and started["started_at_ns"] > 0
    told = world.heard()
    record = json.loads(world.exit_path.read_text())
    assert told == {"event": "exit", "record": record}
    assert world.is_clean()
    assert (record["exit_code"], record["oom_killed"], record["error"]) == (3, False, "")
    assert started["started_at_ns"] == record["started_at_ns"] <= record["finished_at_ns"]
    lines = [json.loads(line) for line in world.log_path.read_text().splitlines()]
    assert {(line["stream"], line["log"]) for line in lines} == {("stdout", "out\n"), ("stderr", "err\n")}
    world.until_left()


def test_a_container_that_is_removed_as_soon_as_its_end_is_told_does_not_keep_the_shim(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Syncing the record to a slow disk gives the daemon time to remove the container."""
    make_durable = main.make_durable

    def late(path: str) -> None:
        shutil.rmtree(os.path.dirname(path))
        make_durable(path)

    monkeypatch.setattr(main, "make_durable", late)
    world.bear(gate)
    assert world.ask("start")["ok"]["pid"] == world.pid
    assert world.heard()["event"] == "exit"
    world.until_left()


def test_what_cannot_start_answers_the_start_and_leaves_nothing(world: World) -> None:
    def fail(sync: socket.socket) -> None:
        message.send(sync, {"event": "error", "message": "exec: not found", "exit_code": 127})
        os._exit(1)

    world.bear(fail)
    assert world.ask("start")["error"] == {"class": "StartFailed", "message": "exec: not found", "exit_code": 127}
    assert world.is_clean() and not world.exit_path.exists()
    world.until_left()


def test_a_failure_before_anybody_asked_waits_for_the_start_request(world: World) -> None:
    def fail(sync: socket.socket) -> None:
        message.send(sync, {"event": "error", "message": "no such user", "exit_code": 128})
        os._exit(1)

    world.bear(fail)
    world.until(lambda: world.shim._failed)
    assert world.is_clean()
    assert world.ask("start")["error"]["message"] == "no such user"
    world.until_left()


def test_an_init_that_dies_at_the_gate_fails_the_start(world: World) -> None:
    world.bear(lambda sync: signal.pause())
    os.kill(world.pid, signal.SIGKILL)
    found = world.ask("start")
    assert found["error"]["class"] == "StartFailed" and found["error"]["exit_code"] == 128
    assert world.is_clean()
    world.until_left()


def test_a_daemon_that_dies_before_start_takes_the_container_along(world: World) -> None:
    world.bear(run_until_told)
    world.until(lambda: world.shim._is_ready)
    world.far.close()
    world.until_left()
    assert world.is_clean() and not world.exit_path.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(world.pid, 0)


def test_a_daemon_that_dies_after_start_is_not_missed_and_the_next_one_hears_of_the_end(world: World) -> None:
    world.bear(run_until_told)
    world.ask("start")
    world.far.close()
    world.turn()
    world.far = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    world.sockets.append(world.far)
    world.far.connect(str(world.exec_dir / "shim.sock"))
    found = world.ask("state")["ok"]
    assert found["pid"] == world.pid and found["execs"] == {} and found["started_at_ns"] > 0
    world.ask("kill", signal=signal.SIGKILL)
    assert world.heard()["record"]["exit_code"] == 137
    world.until_left()


def test_the_directory_and_its_socket_are_for_the_owner_alone(world: World) -> None:
    world.bear(run_until_told)
    world.until(lambda: world.shim._listener is not None)
    assert world.exec_dir.stat().st_mode & 0o777 == 0o700
    assert (world.exec_dir / "shim.sock").is_socket()


def test_the_record_of_the_run_before_is_gone_before_the_next_begins(folder: Path) -> None:
    (folder / "exit.json").write_text("{}")
    world = World(folder)
    world.bear(run_until_told)
    world.ask("start")
    assert not world.exit_path.exists()
    world.close()


def test_a_discarded_container_leaves_nothing(world: World) -> None:
    world.bear(run_until_told)
    world.until(lambda: world.shim._is_ready)
    assert world.ask("discard")["ok"] == {}
    assert world.is_clean() and not world.exit_path.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(world.pid, 0)
    world.until_left()


def test_a_container_that_failed_before_it_is_discarded_has_nothing_to_discard(world: World) -> None:
    def fail(sync: socket.socket) -> None:
        message.send(sync, {"event": "error", "message": "no", "exit_code": 128})
        os._exit(1)

    world.bear(fail)
    world.until(lambda: world.shim._failed)
    assert world.ask("discard")["ok"] == {}
    assert world.is_clean()
    world.until_left()


def test_what_drives_other_runtimes_is_not_in_the_launchers_memory() -> None:
    program = (
        f"import sys; sys.path.insert(0, {os.path.dirname(os.path.dirname(sampan.__file__))!r}); "
        "import sampan.runtime.launcher.main; sys.exit(any('foreign' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-I", "-S", "-c", program], check=False).returncode == 0


def test_another_runtimes_container_gets_a_shim_that_drives_it(folder: Path) -> None:
    def supervise() -> None:
        far, near = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        orders = dict.fromkeys(ShimOrders.__slots__)
        orders |= {"id": "c1", "exec_dir": str(folder / "exec"), "log": {"driver": "none"}, "cgroup_path": "/s/c1"}
        shim = main._foreign_shim(ShimOrders(orders | {"runtime": {"path": "/rt", "args": []}}), near)
        assert type(shim).__name__ == "ForeignShim"
        far.close()

    assert children.code_of(supervise) == 0


def test_a_container_that_is_given_up_before_its_news_was_read_leaves_nothing(world: World) -> None:
    world.bear(run_until_told)
    eventually(lambda: (world.exec_dir / "state.json").exists())  # and the loop has not turned
    world.shim._give_up({"message": "discarded", "exit_code": 128})
    assert world.is_clean()


def test_a_directory_of_another_shim_is_left_alone(world: World) -> None:
    world.exec_dir.mkdir()
    (world.exec_dir / "state.json").write_text(json.dumps({"shim_pid": 1}))

    def fail(sync: socket.socket) -> None:
        message.send(sync, {"event": "error", "message": "File exists", "exit_code": 128})
        os._exit(1)

    world.bear(fail, lays_ground=False)
    assert world.ask("start")["error"]["message"] == "File exists"
    assert (world.exec_dir / "state.json").exists()
    world.until_left()


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_cgroup_that_was_made_for_a_birth_goes_with_a_launch_that_failed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_ours: bool
) -> None:
    root = tmp_path / "cgroup"
    (root / "c1").mkdir(parents=True)
    if is_ours:
        (root / "c1").rmdir()
    for name in ("cgroup.controllers", "cgroup.subtree_control"):
        (root / name).write_text("\n")
    monkeypatch.setattr(main, "hierarchies", lambda: Hierarchies({}, str(root)))
    monkeypatch.setattr(main, "cgroup_for", lambda path: CgroupV2("/c1", str(root)))

    def refuse(flags: int, *, cgroup_fd: int) -> None:
        assert os.path.samestat(os.fstat(cgroup_fd), os.stat(root / "c1"))
        os.close(cgroup_fd)
        raise OSError("no more processes")

    monkeypatch.setattr(main, "clone_init", refuse)
    with pytest.raises(OSError, match="no more processes"):
        world.shim.launch(None, message.in_memory(b"{}"), namespace_fds={})
    world.shim._give_up({"message": "no more processes", "exit_code": 128})
    assert (root / "c1").exists() is not is_ours


@pytest.mark.parametrize(
    ("do", "body", "kind", "text"),
    [
        ("dance", {}, "Unimplemented", "the shim does not know 'dance'"),
        ("exec", {"id": "e1"}, "Conflict", "container c1 is not running"),
        ("kill", {"signal": 15, "exec": "e1"}, "NotFound", "process is not running"),
        ("resize", {"height": 1, "width": 1, "exec": "e1"}, "NotFound", "process is not running"),
        ("kill", {}, "Internal", "kill: KeyError: 'signal'"),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, do: str, body: dict[str, Any], kind: str, text: str) -> None:
    found = world.ask(do, **body)["error"]
    assert (found["class"], found["message"]) == (kind, text)


def test_a_container_starts_once(world: World) -> None:
    world.bear(run_until_told)
    world.ask("start")
    assert world.ask("start")["error"] == {"class": "Conflict", "message": "already started", "exit_code": 0}
    assert world.ask("discard")["error"]["class"] == "Conflict"
    assert world.shim.init is not None and world.shim.init.exit_code is None


def test_a_process_without_a_terminal_has_no_size(world: World) -> None:
    world.bear(run_until_told)
    world.ask("start")
    found = world.ask("resize", height=24, width=80)["error"]
    assert (found["class"], found["message"]) == ("Conflict", "the process has no terminal")


def test_a_signal_reaches_the_process_and_its_end_is_told(world: World) -> None:
    world.bear(run_until_told)
    world.ask("start")
    assert world.ask("kill", signal=signal.SIGUSR1)["ok"] == {}
    assert world.heard()["record"]["exit_code"] == 128 + signal.SIGUSR1
    world.until_left()


def test_an_attached_client_gets_the_last_output_before_the_shim_leaves(world: World) -> None:
    size = 300_000  # more than the socket holds

    def program(sync: socket.socket) -> None:
        gate(sync)
        sent = 0
        while sent < size:
            sent += os.write(1, b"x" * min(4096, size - sent))
        os._exit(0)

    world.bear(program)
    far = world.attach()
    world.ask("start")
    assert world.heard()["event"] == "exit"
    far.setblocking(False)
    got = 0

    def read() -> bool:
        nonlocal got
        world.turn()
        try:
            got += len(far.recv(1 << 16))
        except BlockingIOError:
            pass
        return got == size

    eventually(read)
    world.until_left()


def test_input_reaches_the_process_and_ends_with_its_client(folder: Path) -> None:
    def program(sync: socket.socket) -> None:
        gate(sync)
        found = b""
        while piece := os.read(0, 100):
            found += piece
        os._exit(len(found))

    world = World(folder, open_stdin=True, stdin_once=True)
    world.bear(program)
    far = world.attach()
    world.ask("start")
    far.sendall(b"twelve bytes")
    far.shutdown(socket.SHUT_WR)
    assert world.heard()["record"]["exit_code"] == 12
    world.close()


def test_output_that_a_survivor_holds_open_does_not_hold_up_the_end(world: World) -> None:
    def program(sync: socket.socket) -> None:
        gate(sync)
        if (pid := os.fork()) == 0:
            signal.alarm(20)
            signal.pause()
        os.write(1, b"%d\n" % pid)
        os._exit(0)

    world.bear(program)
    world.ask("start")
    assert world.heard()["record"]["exit_code"] == 0
    survivor = int(json.loads(world.log_path.read_text())["log"])
    os.kill(survivor, signal.SIGKILL)
    world.until_left()


def test_a_spare_whose_launcher_goes_away_ends_in_silence() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def life() -> None:
        ours.close()
        main.run(theirs, ahead=False)

    pid = children.fork(life)
    theirs.close()
    ours.close()
    assert children.code(pid) == 0


def test_a_request_that_makes_no_sense_ends_the_shim_with_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    message.send(ours, {"shim": {}})
    assert children.code_of(lambda: main.run(theirs, ahead=False)) == 1
    ours.close()
    theirs.close()
    assert "IndexError" in capfd.readouterr().err
