"""Containers of other runtimes, by name: what the stock command line shows must not tell them from our own.

Each test runs with every runtime that is installed: runc, crun, and `sampan-runtime` as if it were another's. `slow` is
runc behind a script that waits before each command for as long as the file `slow` in the daemon's folder says.
"""

import json
import os
import shutil
import signal
import stat
import time
from collections.abc import Iterator

import pytest

from support import leaks
from support.engine import Engine, import_image
from support.frontend import Frontend, program
from support.sampand import Sampand
from support.terminal import Terminal
from support.waiting import eventually

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_busybox,
    pytest.mark.needs_docker_cli,
    pytest.mark.needs_sampand,
]
PROGRAMS = {"runc": shutil.which("runc"), "crun": shutil.which("crun"), "own": program("sampan-runtime")}
RUNTIMES = [
    pytest.param(name, marks=[] if path and os.path.exists(path) else pytest.mark.skip(f"{name} is not installed"))
    for name, path in PROGRAMS.items()
]
AT_ONCE = 20
COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done"
TRAPS = "trap 'echo bye; exit 3' TERM; trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done"
SLOW = """#!/bin/sh
[ -e {folder}/slow ] && sleep "$(cat {folder}/slow)"
exec runc "$@"
"""


def settings(sampand: Sampand) -> None:
    """Name the runtimes in the daemon's flags."""
    path = os.path.join(sampand.folder, "slow-runc")
    with open(path, "w") as file:
        file.write(SLOW.format(folder=sampand.folder))
    os.chmod(path, stat.S_IRWXU)
    found = {**PROGRAMS, "slow": path, "gone": "/nonexistent/runtime", "unknown": "no-such-runtime"}
    flags = [flag for name, path in found.items() if path for flag in ("--add-runtime", f"{name}={path}")]
    sampand.flags = (*sampand.flags, *flags)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine that knows the runtimes."""
    daemon = Sampand()
    settings(daemon)
    try:
        daemon.start()
        yield Engine(daemon.socket_path, daemon)
    finally:
        daemon.destroy()


@pytest.fixture
def docker(engine: Engine) -> Frontend:
    return Frontend("docker", engine.socket_path)


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def run(docker: Frontend, runtime: str, image: str) -> "Run":
    return Run(docker, runtime, image)


class Run:
    """`docker run` with one runtime."""

    def __init__(self, docker: Frontend, runtime: str, image: str) -> None:
        self.docker = docker
        self.runtime = runtime
        self.image = image

    def __call__(self, *words: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        """Flags, "--", command: with --rm, to the end."""
        return self.docker.run("run", "--rm", *self.words(words), stdin=stdin)

    def words(self, words: tuple[str, ...]) -> list[str]:
        cut = words.index("--") if "--" in words else 0
        return ["--runtime", self.runtime, *words[:cut], self.image, *words[cut + ("--" in words) :]]

    def detached(self, name: str, *words: str) -> str:
        return self.docker("run", "-d", "--name", name, *self.words(words))


def state(docker: Frontend, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(docker("inspect", "-f", "{{json .State}}", name))
    return found


def shim_pid(sampand: Sampand, id: str) -> int:
    with open(f"{sampand.exec_root}/containers/{id}/state.json") as file:
        return int(json.load(file)["shim_pid"])


def test_the_runtimes_are_listed_as_docker_lists_them(docker: Frontend, image: str, name: str, run: Run) -> None:
    found = json.loads(docker("info", "-f", "{{json .}}"))
    assert found["DefaultRuntime"] == "sampan"
    assert found["Runtimes"][run.runtime]["path"] == PROGRAMS[run.runtime]
    if run.runtime == "runc":
        features = json.loads(found["Runtimes"]["runc"]["status"]["org.opencontainers.runtime-spec.features"])
        assert "rro" in features["mountOptions"]
    docker("create", "--name", name, "--runtime", run.runtime, image, "true")
    assert docker("inspect", "-f", "{{.HostConfig.Runtime}}", name) == run.runtime


def test_output_input_and_exit_code_are_the_programs(run: Run) -> None:
    assert run("sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")
    assert run("-i", "--", "cat", stdin=b"through\n") == (0, "through\n", "")
    assert run("sh", "-c", "kill -9 $$")[0] in (0, 137)


def test_the_user_is_looked_up_in_the_image(run: Run) -> None:
    code, out, _ = run("-u", "app", "--group-add", "wheel", "--", "sh", "-c", "id; echo $HOME")
    assert (code, out) == (0, "uid=1000(app) gid=1000(app) groups=10(wheel),1000(app),1001(extra)\n/home/app\n")
    code, _, err = run("-u", "nosuch", "--", "id")
    assert code == 125 and "unable to find user nosuch: no matching entries in passwd file" in err


def test_a_command_that_cannot_run_has_dockers_exit_code(run: Run) -> None:
    code, _, err = run("/nonexistent")
    assert code == 127 and "OCI runtime create failed: " in err
    code, _, err = run("nope")
    assert code == 127 and "nope" in err
    assert run("/bin/notexec")[0] == 126


def test_a_failed_start_is_told_by_the_container(docker: Frontend, image: str, name: str, run: Run) -> None:
    docker.run("run", "--name", name, "--runtime", run.runtime, image, "nope")
    found = state(docker, name)
    assert (found["ExitCode"], found["Status"]) == (127, "created")
    assert str(found["Error"]).startswith("failed to create task for container: ")


def test_limits_hold(run: Run, docker: Frontend, name: str) -> None:
    files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max"
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        files = "/sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max"
    code, out, err = run("-m", "20m", "--pids-limit", "33", "--ulimit", "nofile=99:100", "--", "sh", "-c",
                         f"cat {files}; ulimit -n")  # fmt: skip
    assert (code, out.split()) == (0, ["20971520", "33", "99"]), err
    run.docker.run("run", "--name", name, *run.words(("-m", "10m", "--", "sh", "-c", "a=x; while :; do a=$a$a; done")))
    assert {key: state(docker, name)[key] for key in ("ExitCode", "OOMKilled")} == {"ExitCode": 137, "OOMKilled": True}


def test_mounts_are_made(run: Run, name: str, engine: Engine) -> None:
    assert engine.sampand is not None
    command = "touch /a; touch /host/a; touch /scratch/a && cat /vol/index.html"
    flags = ("--read-only", "--tmpfs", "/scratch", "-v", f"{engine.sampand.folder}:/host:ro", "-v", "/www")
    code, out, err = run(*flags, "-v", f"{name}:/vol", "--", "sh", "-c", command)
    assert (code, err.count("Read-only file system")) == (1, 2), (out, err)
    code, out, err = run("-v", f"{name}-www:/www", "-w", "/made/here", "--", "sh", "-c", "pwd; cat /www/index.html")
    assert (code, out) == (0, "/made/here\n<h1>a page</h1>\n"), err


def test_networks_are_the_containers_own(run: Run) -> None:
    assert run("--network", "none", "--", "ls", "/sys/class/net")[1] == "lo\n"
    assert "eth0" in run("ip", "-o", "addr")[1]
    assert run("--network", "host", "--hostname", "h", "--", "ls", "/sys/class/net")[1].split() == sorted(
        os.listdir("/sys/class/net")
    )


def resized(terminal: Terminal, rows: int, columns: int) -> bool:
    """Resize until it has come through: the docker command line hears of it only once it has begun to listen."""
    terminal.resize(rows, columns + 1)
    terminal.resize(rows, columns)
    terminal.send("stty size\n")
    return bool(terminal.wait_text(rf"^{rows} {columns}\r", 1.0))


def test_a_terminal_has_its_size_and_follows_it(run: Run, name: str) -> None:
    words = run.words(("-it", "--name", name, "--", "sh"))
    with run.docker.terminal("run", "--rm", *words, rows=31, columns=91) as terminal:
        terminal.send("stty size\n")
        terminal.wait_text(r"^31 91\r")
        eventually(lambda: resized(terminal, 20, 50), 10)
        terminal.send("tty; exit 6\n")
        terminal.wait_text(r"/dev/pts/0")
        assert terminal.wait_exit() == 6


def test_exec_does_what_run_does(run: Run, name: str) -> None:
    run.detached(name, "sleep", "60")
    docker = run.docker
    assert docker.run("exec", name, "sh", "-c", "echo out; echo err >&2; exit 9") == (9, "out\n", "err\n")
    assert docker.run("exec", "-i", name, "cat", stdin=b"in\n") == (0, "in\n", "")
    assert docker("exec", "-u", "app", "-e", "A=1", "-w", "/tmp", name, "sh", "-c", "id -u; echo $A; pwd").split() == [
        "1000",
        "1",
        "/tmp",
    ]
    code, out, err = docker.run("exec", name, "nope")
    assert code == 127 and "OCI runtime exec failed: " in out + err
    with docker.terminal("exec", "-it", name, "sh", rows=22, columns=77) as terminal:
        terminal.send("stty size; exit 3\n")
        terminal.wait_text(r"^22 77\r")
        assert terminal.wait_exit() == 3
    docker("exec", "-d", name, "sleep", "50")
    eventually(lambda: "sleep 50" in docker("exec", name, "ps"))


def test_stop_and_kill_end_it_and_it_starts_again(run: Run, name: str) -> None:
    docker = run.docker
    run.detached(name, "sh", "-c", TRAPS)
    eventually(lambda: "ready" in docker("logs", name))
    docker("stop", name)
    assert (state(docker, name)["ExitCode"], docker("logs", name)) == (3, "ready\nbye")
    docker("start", name)
    eventually(lambda: docker("logs", name).endswith("ready"))
    docker("kill", "-s", "USR1", name)
    eventually(lambda: state(docker, name)["ExitCode"] == 5)
    docker("start", name)
    docker("kill", name)
    assert state(docker, name)["ExitCode"] == 137
    docker("rm", name)


def test_processes_that_share_the_hosts_pids_end_with_the_container(run: Run, engine: Engine) -> None:
    code, out, _ = run("--pid", "host", "--", "sh", "-c", "sleep 4321 & echo left")
    assert (code, out) == (0, "left\n")
    assert not any("sleep 4321" in line for line in leaks.processes("4321").values())


def test_many_start_at_once(run: Run, name: str, engine: Engine) -> None:
    started = [
        run.docker.popen("run", "--rm", "--name", f"{name}-{i}", *run.words(("sh", "-c", f"echo {i}; exit {i}")))
        for i in range(AT_ONCE)
    ]
    ends = [(process.communicate(timeout=60)[0], process.returncode) for process in started]
    assert ends == [(f"{i}\n".encode(), i) for i in range(AT_ONCE)]
    assert engine.sampand is not None
    engine.sampand.remove_containers()
    engine.sampand.assert_nothing_left()


def test_a_program_that_is_not_there_is_told_at_the_start(docker: Frontend, image: str, name: str) -> None:
    code, _, err = docker.run("run", "--rm", "--runtime", "gone", image, "true")
    assert code == 127 and 'exec: "/nonexistent/runtime": stat /nonexistent/runtime: no such file' in err
    code, _, err = docker.run("run", "--rm", "--runtime", "unknown", image, "true")
    assert code == 127 and 'exec: "no-such-runtime": executable file not found in $PATH' in err


def test_a_name_that_nobody_configured_is_refused_at_once(docker: Frontend, image: str) -> None:
    code, _, err = docker.run("create", "--runtime", "nosuch", image, "true")
    assert code == 1 and "unknown or invalid runtime name: nosuch" in err


@pytest.fixture
def restarted(daemon: Sampand) -> Iterator[Sampand]:
    """A daemon to be killed, with an image."""
    settings(daemon)
    daemon.start()
    import_image(daemon.api, "box:1")
    yield daemon
    if daemon.process is None:
        daemon.start()
    daemon.remove_containers()
    daemon.assert_nothing_left()


@pytest.mark.parametrize("is_clean", [True, False], ids=["stopped", "killed"])
def test_containers_outlive_the_daemon(restarted: Sampand, runtime: str, is_clean: bool) -> None:
    docker = Frontend("docker", restarted.socket_path)
    docker("run", "-d", "--name", "live", "--runtime", runtime, "box:1", "sh", "-c", COUNT)
    docker("exec", "-d", "live", "sleep", "60")
    pid = state(docker, "live")["Pid"]
    restarted.stop() if is_clean else restarted.kill()
    restarted.restart()
    assert state(docker, "live")["Pid"] == pid
    assert docker("exec", "live", "echo", "here") == "here"
    before = len(docker("logs", "live").split())
    eventually(lambda: len(docker("logs", "live").split()) > before)
    numbers = [int(line) for line in docker("logs", "live").split()]
    assert numbers == list(range(len(numbers)))
    docker("kill", "live")
    assert state(docker, "live")["ExitCode"] == 137


@pytest.mark.parametrize("with_daemon", [False, True], ids=["alone", "with its daemon"])
def test_a_killed_shim_takes_its_container_along(restarted: Sampand, runtime: str, with_daemon: bool) -> None:
    docker = Frontend("docker", restarted.socket_path)
    id = docker("run", "-d", "--name", "web", "--runtime", runtime, "box:1", "sleep", "60")
    restarted.note_ids()
    pid = state(docker, "web")["Pid"]
    if with_daemon:
        restarted.kill()
    os.kill(shim_pid(restarted, id), signal.SIGKILL)
    if with_daemon:
        restarted.restart()
    eventually(lambda: state(docker, "web")["Status"] == "exited")
    assert state(docker, "web")["ExitCode"] == 137
    assert leaks.is_zombie(int(str(pid)))
    docker("start", "web")
    assert docker("exec", "web", "echo", "again") == "again"


@pytest.mark.skipif(not PROGRAMS["runc"], reason="runc is not installed")
@pytest.mark.parametrize("victim", ["shim", "daemon"])
def test_a_death_half_way_through_a_start_leaves_nothing(restarted: Sampand, victim: str) -> None:
    docker = Frontend("docker", restarted.socket_path)
    id = docker("create", "--name", "web", "--runtime", "slow", "box:1", "sleep", "60")
    restarted.note_ids()
    with open(f"{restarted.folder}/slow", "w") as file:
        file.write("1")
    starting = docker.popen("start", "web")
    eventually(lambda: os.path.exists(f"{restarted.exec_root}/containers/{id}/config.json"))
    if victim == "shim":
        os.kill(shim_pid(restarted, id), signal.SIGKILL)
    else:
        restarted.kill()
    starting.communicate(timeout=30)
    assert starting.returncode != 0
    os.unlink(f"{restarted.folder}/slow")
    if victim == "daemon":
        restarted.restart()
    assert state(docker, "web")["Status"] in ("created", "exited")
    docker("start", "web")


@pytest.mark.skipif(not PROGRAMS["runc"], reason="runc is not installed")
def test_a_slow_runtime_does_not_hold_up_streams(restarted: Sampand) -> None:
    docker = Frontend("docker", restarted.socket_path)
    docker("run", "-d", "--name", "web", "--runtime", "slow", "box:1", "sh", "-c", COUNT)
    with open(f"{restarted.folder}/slow", "w") as file:
        file.write("3")
    slow = docker.popen("exec", "web", "true")
    before, start_s = int(docker("logs", "--tail", "1", "web")), time.monotonic()
    eventually(lambda: int(docker("logs", "--tail", "1", "web")) > before + 10, 2.5)
    assert time.monotonic() - start_s < 2.5 and slow.poll() is None
    os.unlink(f"{restarted.folder}/slow")
    slow.communicate(timeout=30)
    assert slow.returncode == 0
