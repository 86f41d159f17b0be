"""`sampan-runtime` on a bundle: what no other runtime has to do alike, or what only shows when things go wrong.

What every runtime does is asked in tests/conformance/oci_runtime.
"""

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from sampan.runtime.cgroup.detect import hierarchies
from support import leaks
from support.ociruntime import HOLD, NAMESPACES, Json, Lab
from support.terminal import Terminal
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]

COMMAND = f"{os.path.dirname(sys.executable)}/sampan-runtime"
MAPPINGS = [{"containerID": 0, "hostID": 100000, "size": 65536}]
SEED = 20261122
KILLS = 20


@pytest.fixture
def lab() -> Iterator[Lab]:
    found = Lab(COMMAND)
    yield found
    found.close()


def cgroups(lab: Lab) -> list[str]:
    found = hierarchies()
    places = [found.v2] if found.is_v2 else [*found.v1.values()]
    return [place for place in places if os.path.exists(f"{place}/{lab.id}")]


def assert_nothing_left(lab: Lab) -> None:
    """No process, mount, cgroup or state of the container."""
    eventually(lambda: not leaks.processes(lab.folder), why=f"processes are left: {leaks.processes(lab.folder)}")
    assert leaks.mounts(lab.folder) == []
    assert cgroups(lab) == []
    assert os.listdir(lab.states) == []


def shell(script: str) -> Json:
    return {"path": "/bin/sh", "args": ["sh", "-c", script]}


# start and its failures


@pytest.mark.parametrize(("program", "text"), [("/bin/badformat", "exec format error"), ("/bin/notexec", "permission")])
def test_a_program_that_cannot_be_executed_is_refused_whenever_it_shows(lab: Lab, program: str, text: str) -> None:
    lab.write(program)
    assert text in lab.refusal("run", "--bundle", lab.bundle, lab.id)
    assert_nothing_left(lab)


def test_start_reports_an_execve_that_fails(lab: Lab) -> None:
    lab.create("/bin/badformat")
    assert "exec /bin/badformat: exec format error" in lab.refusal("start", lab.id)
    lab.wait_stopped()
    assert "has stopped" in lab.refusal("start", lab.id)
    lab.call("delete", lab.id)
    assert_nothing_left(lab)


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"])
def test_run_leaves_nothing_when_a_hook_fails(lab: Lab, kind: str) -> None:
    lab.config["hooks"] = {kind: [shell("exit 3")]}
    lab.write(*HOLD)
    assert f"error running {kind} hook #0" in lab.refusal("run", "--detach", "--bundle", lab.bundle, lab.id)
    assert_nothing_left(lab)


def test_start_reports_a_hook_that_fails_in_the_container(lab: Lab) -> None:
    lab.config["hooks"] = {"startContainer": [shell("echo a reason >&2; exit 3")]}
    lab.create(*HOLD)
    said = lab.refusal("start", lab.id)
    assert "startContainer hook #0" in said and "a reason" in said
    lab.wait_stopped()


def test_the_pid_file_is_not_written_for_what_fails(lab: Lab) -> None:
    path = f"{lab.folder}/pid"
    lab.config["hooks"] = {"createRuntime": [shell("exit 3")]}
    lab.write(*HOLD)
    lab.refusal("create", "--pid-file", path, "--bundle", lab.bundle, lab.id)
    assert not os.path.exists(path)


# systemd's protocols


@contextlib.contextmanager
def notified(lab: Lab) -> Iterator[socket.socket]:
    """What systemd would listen to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(f"{lab.folder}/host-notify")
        found.settimeout(20)
        yield found


# Nothing of busybox writes to such a socket.
SAY = """
import os, socket, time
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(600)
"""


def with_interpreter(lab: Lab) -> list[str]:
    """Give the container the host's Python; the words that begin its command line."""
    for path in ("/usr", "/lib", "/lib64"):
        if os.path.isdir(path):
            options = ["rbind", "ro"]
            lab.config["mounts"].append({"destination": path, "type": "bind", "source": path, "options": options})
    return [os.path.realpath(sys.executable), "-IS", "-c"]


@pytest.mark.parametrize("is_run", [True, False], ids=["run", "start"])
def test_ready_arrives_with_the_process_and_is_waited_for(lab: Lab, is_run: bool) -> None:
    lab.write(*with_interpreter(lab), SAY)
    with notified(lab) as host:
        env = {"NOTIFY_SOCKET": f"{lab.folder}/host-notify"}
        if is_run:
            lab.call("run", "--detach", "--bundle", lab.bundle, lab.id, env=env)
        else:
            lab.call("create", "--bundle", lab.bundle, lab.id, env=env)
            lab.call("start", lab.id, env=env)
        host.setblocking(False)  # the call returned only when it was ready
        assert host.recv(100) == f"READY=1\nMAINPID={lab.pid()}\n".encode()


def test_sockets_of_an_activation_are_passed_on(lab: Lab) -> None:
    lab.write("sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; cat <&3")
    read, write = os.pipe()
    os.write(write, b"from the socket\n")
    os.close(write)
    words = ("run", "--bundle", lab.bundle, lab.id)
    done = lab.call(*words, env={"LISTEN_FDS": "1"}, stdin=read, as_third=True)
    os.close(read)
    assert done.stdout == "1 1\nfrom the socket\n"


@pytest.mark.parametrize(
    ("options", "env"), [(("--preserve-fds", "9"), {}), ((), {"LISTEN_FDS": "9"})], ids=["preserved", "activated"]
)
def test_descriptors_that_are_not_there_are_not_replaced_by_ours(
    lab: Lab, options: tuple[str, ...], env: dict[str, str]
) -> None:
    lab.write("sleep", "600")
    lab.call("run", "--detach", *options, "--bundle", lab.bundle, lab.id, env=env)
    assert sorted(os.listdir(f"/proc/{lab.pid()}/fd")) == ["0", "1", "2"]


# the foreground


@contextlib.contextmanager
def calling(lab: Lab, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A call that goes on meanwhile; it does not outlive the test."""
    with open(os.devnull, "r+") as null, subprocess.Popen(lab.words(*words), stdin=null, stdout=null) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_process_that_was_killed_ends_run_with_128_and_the_signal(lab: Lab) -> None:
    lab.write(*HOLD)
    with calling(lab, "run", "--bundle", lab.bundle, lab.id) as run:
        eventually(lambda: lab.exists() and lab.status() == "running")
        lab.call("kill", lab.id, "KILL")
        assert run.wait(20) == 128 + signal.SIGKILL
    assert_nothing_left(lab)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGQUIT, signal.SIGRTMIN + 2])
def test_run_and_exec_pass_signals_on(lab: Lab, number: int) -> None:
    script = f"trap 'exit 9' {int(number)}; echo > /ready$0; while :; do sleep 0.01; done"
    lab.write("sh", "-c", script, "1")
    with calling(lab, "run", "--bundle", lab.bundle, lab.id) as run:
        eventually(lambda: lab.read("ready1"))
        with calling(lab, "exec", lab.id, "sh", "-c", script, "2") as exec:
            eventually(lambda: lab.read("ready2"))
            exec.send_signal(number)
            assert exec.wait(20) == 9
        run.send_signal(number)
        assert run.wait(20) == 9


@pytest.mark.parametrize("has_terminal", [True, False])
def test_control_c_ends_the_program_and_our_terminal_is_as_before(lab: Lab, has_terminal: bool) -> None:
    lab.process["terminal"] = has_terminal
    lab.write("sh", "-c", "trap 'exit 6' INT; echo ready; while :; do sleep 0.01; done")
    with Terminal(lab.words("run", "--bundle", lab.bundle, lab.id), dict(os.environ)) as terminal:
        before = termios.tcgetattr(terminal.master_fd)[3]
        terminal.wait_text("ready")
        is_raw = not termios.tcgetattr(terminal.master_fd)[3] & termios.ICANON
        assert is_raw == has_terminal
        terminal.send("\x03")
        assert terminal.wait_exit() == 6
        assert termios.tcgetattr(terminal.master_fd)[3] == before
    assert_nothing_left(lab)


def test_exec_connects_our_terminal_and_its_size_follows(lab: Lab) -> None:
    lab.detach()
    script = "trap 'stty size; exit 3' WINCH; stty size; while :; do sleep 0.01; done"
    words = lab.words("exec", "--tty", lab.id, "sh", "-c", script)
    with Terminal(words, dict(os.environ), rows=31, columns=97) as terminal:
        terminal.wait_text("31 97")
        terminal.resize(20, 60)
        terminal.wait_text("20 60")
        assert terminal.wait_exit() == 3


@pytest.mark.parametrize("options", [("--tty", "--console-socket", "/nowhere/console"), ("--pid-file", "/nowhere/pid")])
def test_exec_leaves_no_process_that_nobody_was_told_of(lab: Lab, options: tuple[str, ...]) -> None:
    lab.detach()
    lab.refusal("exec", "--detach", *options, lab.id, "sleep", "601")
    assert json.loads(lab.call("ps", "-f", "json", lab.id).stdout) == [lab.pid()]


# namespaces


def test_files_of_a_user_namespace_belong_to_its_ids(lab: Lab) -> None:
    lab.linux["namespaces"].append({"type": "user"})
    lab.linux["uidMappings"] = lab.linux["gidMappings"] = MAPPINGS
    lab.process["user"] = {"uid": 5, "gid": 6}
    assert lab.output("sh", "-c", "echo > /tmp/file; stat -c %u:%g /tmp/file") == "5:6"
    found = os.stat(f"{lab.rootfs}/tmp/file")
    assert (found.st_uid, found.st_gid) == (100005, 100006)


def test_a_user_namespace_with_a_path_is_joined(lab: Lab) -> None:
    lab.linux["namespaces"].append({"type": "user"})
    lab.linux["uidMappings"] = lab.linux["gidMappings"] = MAPPINGS
    lab.detach()
    first = lab.pid()
    lab.id = lab.name()
    lab.linux["cgroupsPath"] = f"/{lab.id}"
    lab.linux["namespaces"] = [{"type": kind} for kind in NAMESPACES]
    lab.linux["namespaces"].append({"type": "user", "path": f"/proc/{first}/ns/user"})
    del lab.linux["uidMappings"], lab.linux["gidMappings"]
    lab.detach()
    link = os.readlink(f"/proc/{lab.pid()}/ns/user")
    assert link == os.readlink(f"/proc/{first}/ns/user") != os.readlink("/proc/self/ns/user")
    assert lab.exec("cat", "/proc/self/uid_map").split() == ["0", "100000", "65536"]


def test_a_time_namespace_has_the_clocks_of_the_config(lab: Lab) -> None:
    lab.linux["namespaces"].append({"type": "time"})
    lab.linux["timeOffsets"] = {"boottime": {"secs": 8640000}, "monotonic": {"secs": 4320000}}
    lab.detach()
    with open("/proc/uptime") as file:
        host_s = float(file.read().split()[0])
    for uptime in (lab.exec("cat", "/proc/uptime"), lab.exec("sh", "-c", "exec cat /proc/uptime")):
        assert 8640000 <= float(uptime.split()[0]) - host_s < 8640060
    assert lab.exec("cat", "/proc/self/timens_offsets").split() == "monotonic 4320000 0 boottime 8640000 0".split()


def test_a_seccomp_agent_gets_the_listener(lab: Lab) -> None:
    path = f"{lab.folder}/agent"
    group = {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "mine", "syscalls": [group]}
    lab.linux["seccomp"] = profile
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(path)
        agent.listen()
        agent.settimeout(20)
        lab.create("sh", "-c", "mkdir /made 2> /said; sleep 600")
        connection, _ = agent.accept()
    with connection:
        text, [fd], _, _ = socket.recv_fds(connection, 65536, 2)
    told = json.loads(text)
    assert (told["fds"], told["pid"], told["metadata"]) == (["seccompFd"], lab.pid(), "mine")
    assert (told["state"]["id"], told["state"]["status"]) == (lab.id, "creating")
    assert os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:seccomp notify"
    os.close(fd)  # an agent that goes away: the call fails, and nothing hangs
    lab.start()
    eventually(lambda: "not implemented" in lab.read("said"))


# killed at any moment


@pytest.mark.timeout(240)
@pytest.mark.parametrize("verb", ["create", "run"])
def test_killed_at_any_moment_it_leaves_nothing_that_delete_does_not_remove(lab: Lab, verb: str) -> None:
    chance = random.Random(SEED)
    os.mkdir(lab.states)
    lab.config["hooks"] = {"createRuntime": [shell("exit 0")]}
    lab.process["env"].append(f"MARK={lab.folder}")
    lab.write(*HOLD)
    with open(os.devnull, "r+") as null:
        for _ in range(KILLS):
            words = lab.words(verb, "--bundle", lab.bundle, lab.id)
            with subprocess.Popen(words, stdin=null, stdout=null, stderr=null) as process:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(chance.uniform(0, 0.12))
                process.kill()
            lab.call("delete", "--force", lab.id)
            assert_nothing_left(lab)


# the interpreter's guard


@contextlib.contextmanager
def created(lab: Lab, words: list[str]) -> Iterator[int]:
    """A container made by this command line of the program; its first process, which is the interpreter still."""
    lab.write(*HOLD)
    words = [*words, "--root", lab.states, "create", "--bundle", lab.bundle, lab.id]
    with open(os.devnull, "r+") as null:
        subprocess.run(words, stdin=null, stdout=null, stderr=null, check=True)
    yield lab.pid()


def guards() -> list[str]:
    """Mount points of guarded interpreters of this installation."""
    with open("/proc/self/mountinfo") as file:
        places = [line.split()[4] for line in file]
    return [
        place for place in places if place.startswith(f"/run/sampan-runtime/.interpreter{os.path.dirname(COMMAND)}/")
    ]


@pytest.mark.parametrize("words", [[COMMAND], [sys.executable, COMMAND]], ids=["script", "unguarded"])
def test_the_interpreter_that_a_container_may_see_cannot_be_written(lab: Lab, words: list[str]) -> None:
    with created(lab, words) as pid:
        assert os.readlink(f"/proc/{pid}/exe") == guards()[0]
        assert len(guards()) == 1
        with pytest.raises(OSError, match=r"Text file busy|Read-only"):
            os.close(os.open(f"/proc/{pid}/exe", os.O_WRONLY))
        # "Busy" ends with the process, and who has the file open waits for that. A read-only mount stays one.
        with pytest.raises(OSError, match="Read-only"):
            os.utime(f"/proc/{pid}/exe")


PROBE = """
import json, os, sys
fd = os.open("/proc/self/exe", os.O_RDONLY)
failures = []
for attempt in (lambda: os.open(f"/proc/self/fd/{fd}", os.O_WRONLY), lambda: os.utime(f"/proc/self/fd/{fd}")):
    try:
        attempt()
        failures.append(0)
    except OSError as error:
        failures.append(error.errno)
top = "/run/sampan-runtime"
found = [os.path.join(folder, name) for folder, *names in os.walk(top) for name in sum(names, [])]
exe = os.readlink("/proc/self/exe")
print(json.dumps([exe, failures, sys.flags.isolated, [path for path in found if os.lstat(path).st_mode & 0o022]]))
"""


def probed(lab: Lab, *before: str) -> Json:
    """What a program finds that calls the guard where there is none yet, in a mount namespace of its own."""
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv")
    with open(f"{lab.folder}/probe.py", "w") as file:
        file.write(PROBE)
    paths = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    start = f"import sys; sys.path[:0] = {paths!r}; sys.argv = [sys.argv[1]]"
    start += "; from sampan.runtime.command import guard; guard.enter()"
    hide = 'mkdir -p /run/sampan-runtime; mount -t tmpfs -o mode=755 none /run/sampan-runtime; umask 0; exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", hide, "sh", *before, sys.executable, "-c", start]
    done = subprocess.run([*words, f"{lab.folder}/probe.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    exe, failures, is_isolated, writable = json.loads(done.stdout)
    return {"exe": exe, "failures": failures, "is_isolated": is_isolated, "writable": writable}


def test_the_first_call_mounts_the_guard_where_only_root_may_write(lab: Lab) -> None:
    found = probed(lab)
    assert found["exe"] == f"/run/sampan-runtime/.interpreter{os.path.dirname(sys.executable)}/bin/python3"
    assert found["failures"] == [errno.ETXTBSY, errno.EROFS]
    assert (found["is_isolated"], found["writable"]) == (1, [])


def test_without_the_right_to_mount_it_runs_from_sealed_memory(lab: Lab) -> None:
    found = probed(lab, "setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
    assert found["exe"].startswith("/memfd:python")
    assert found["is_isolated"]
    assert found["failures"][0] in (errno.EPERM, errno.ETXTBSY)
