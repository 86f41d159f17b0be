"""The command `sampan-runtime`: its verbs on real containers, as another engine calls them."""

import io
import json
import os
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.runtime.cgroup.detect import hierarchies
from sampan.runtime.command.verbs.spec import example
from support import rootfs
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]

COMMAND = f"{os.path.dirname(sys.executable)}/sampan-runtime"


class Lab:
    """A root for states, a bundle, and the command with both."""

    def __init__(self, folder: str) -> None:
        self.root = f"{folder}/states"
        self.bundle = f"{folder}/bundle"
        self.id = f"smpc-{uuid.uuid4().hex[:12]}"
        os.makedirs(f"{self.bundle}/rootfs")
        with tarfile.open(fileobj=io.BytesIO(rootfs.busybox())) as tar:
            tar.extractall(f"{self.bundle}/rootfs")
        self.spec: dict[str, Any] = example(is_rootless=False, is_cgroup2=hierarchies().is_v2)
        self.spec["process"]["terminal"] = False
        self.spec["linux"]["cgroupsPath"] = f"/{self.id}"

    def call(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        # Not through pipes: a detached container keeps its standard streams.
        with open(f"{self.bundle}/out", "w+") as out, open(f"{self.bundle}/err", "w+") as err:
            done = subprocess.run(
                [COMMAND, "--root", self.root, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False
            )
            out.seek(0)
            err.seek(0)
            found = subprocess.CompletedProcess(words, done.returncode, out.read(), err.read())
        assert not check or found.returncode == 0, found.stderr
        return found

    def failure(self, *words: str) -> str:
        """What a call that must fail says."""
        done = self.call(*words, check=False)
        assert done.returncode
        return done.stderr

    def write(self, *args: str) -> None:
        self.spec["process"]["args"] = list(args)
        with open(f"{self.bundle}/config.json", "w") as file:
            json.dump(self.spec, file)

    def create(self, *args: str) -> None:
        self.write(*args)
        self.call("create", "--bundle", self.bundle, self.id)

    def run(self, *args: str) -> None:
        self.write(*args)
        self.call("run", "--detach", "--bundle", self.bundle, self.id)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.call("state", self.id).stdout)
        return found

    def status(self) -> str:
        return str(self.state()["status"])

    def cgroup(self, controller: str, name1: str, name2: str) -> str:
        """A cgroup file of the container, by its name in version 1 or 2."""
        found = hierarchies()
        folder = found.v2 if found.is_v2 else found.v1[controller]
        with open(f"{folder}/{self.id}/{name2 if found.is_v2 else name1}") as file:
            return file.read().strip()


@pytest.fixture
def lab(tmp_path: Any) -> Iterator[Lab]:
    found = Lab(str(tmp_path))
    yield found
    found.call("delete", "--force", found.id)
    assert not os.path.exists(found.root) or os.listdir(found.root) == []
    places = [hierarchies().v2] if hierarchies().is_v2 else hierarchies().v1.values()
    assert [place for place in places if os.path.exists(f"{place}/{found.id}")] == []


def test_a_container_goes_through_its_states(lab: Lab) -> None:
    lab.create("sleep", "1000")
    assert lab.status() == "created"
    assert "already exists" in lab.failure("create", "--bundle", lab.bundle, lab.id)
    lab.call("start", lab.id)
    state = lab.state()
    assert state["status"] == "running" and state["bundle"] == lab.bundle
    with open(f"/proc/{state['pid']}/cmdline") as file:
        assert file.read() == "sleep\x001000\x00"
    assert "already running" in lab.failure("start", lab.id)
    assert "not stopped: running" in lab.failure("delete", lab.id)
    lab.call("kill", lab.id, "KILL")
    eventually(lambda: lab.status() == "stopped")
    assert lab.state()["pid"] == 0
    assert "container not running" in lab.failure("kill", lab.id, "KILL")
    lab.call("delete", lab.id)
    assert "container does not exist" in lab.failure("state", lab.id)


def test_a_created_container_is_deleted_without_being_started(lab: Lab) -> None:
    lab.create("sleep", "1000")
    pid = lab.state()["pid"]
    lab.call("delete", lab.id)
    eventually(lambda: not os.path.exists(f"/proc/{pid}"))


def test_pause_stops_it_and_resume_goes_on(lab: Lab) -> None:
    lab.run("sleep", "1000")
    lab.call("pause", lab.id)
    assert lab.status() == "paused"
    assert "container not running" in lab.failure("pause", lab.id)
    lab.call("resume", lab.id)
    assert lab.status() == "running"
    assert "container not paused" in lab.failure("resume", lab.id)


def test_a_paused_container_dies_of_sigkill(lab: Lab) -> None:
    lab.run("sleep", "1000")
    lab.call("pause", lab.id)
    lab.call("kill", lab.id, "9")
    eventually(lambda: lab.status() == "stopped")


def test_delete_force_ends_a_paused_container(lab: Lab) -> None:
    lab.run("sleep", "1000")
    lab.call("pause", lab.id)
    lab.call("delete", "-f", lab.id)
    assert "does not exist" in lab.failure("state", lab.id)


def test_without_a_pid_namespace_delete_leaves_no_process(lab: Lab) -> None:
    spaces = lab.spec["linux"]["namespaces"]
    lab.spec["linux"]["namespaces"] = [space for space in spaces if space["type"] != "pid"]
    lab.run("sh", "-c", "sleep 1000 & sleep 1000 & wait")
    eventually(lambda: len(json.loads(lab.call("ps", "-f", "json", lab.id).stdout)) == 3)
    pids = json.loads(lab.call("ps", "-f", "json", lab.id).stdout)
    lab.call("delete", "-f", lab.id)
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))


def test_kill_all_reaches_every_process(lab: Lab) -> None:
    lab.run("sh", "-c", "trap : TERM; sleep 1000 & sleep 1000 & wait; exec sleep 2000")
    eventually(lambda: lab.call("ps", lab.id).stdout.count("sleep 1000") == 3)  # the shell's line has it, too
    lab.call("kill", "--all", lab.id, "TERM")
    eventually(lambda: lab.call("ps", lab.id, "-e", "-o", "pid,args").stdout.split()[3:] == ["sleep", "2000"])
    assert lab.status() == "running"


def test_ps_shows_the_containers_processes_only(lab: Lab) -> None:
    lab.run("sleep", "1000")
    title, line = lab.call("ps", lab.id).stdout.splitlines()
    assert "PID" in title and "sleep 1000" in line
    assert json.loads(lab.call("ps", "--format=json", lab.id).stdout) == [lab.state()["pid"]]


def test_list_knows_it(lab: Lab) -> None:
    lab.run("sleep", "1000")
    assert lab.call("list", "-q").stdout == f"{lab.id}\n"
    (found,) = json.loads(lab.call("list", "-f", "json").stdout)
    assert (found["id"], found["status"], found["owner"]) == (lab.id, "running", "root")


def test_update_changes_limits(lab: Lab) -> None:
    lab.spec["linux"]["resources"] |= {"memory": {"limit": 200 << 20}, "cpu": {"period": 100000, "quota": 90000}}
    lab.run("sleep", "1000")
    lab.call("update", "--memory", "100m", "--pids-limit", "77", "--cpu-quota", "50000", lab.id)
    assert lab.cgroup("memory", "memory.limit_in_bytes", "memory.max") == str(100 << 20)
    assert lab.cgroup("pids", "pids.max", "pids.max") == "77"
    assert lab.cgroup("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    with open(f"{lab.bundle}/resources", "w") as file:
        json.dump({"pids": {"limit": 88}}, file)
    lab.call("update", "-r", f"{lab.bundle}/resources", lab.id)
    assert lab.cgroup("pids", "pids.max", "pids.max") == "88"


def test_events_show_statistics(lab: Lab) -> None:
    lab.spec["linux"]["resources"]["pids"] = {"limit": 50}
    lab.run("sleep", "1000")
    event = json.loads(lab.call("events", "--stats", lab.id).stdout)
    assert (event["type"], event["id"]) == ("stats", lab.id)
    assert event["data"]["pids"] == {"current": 1, "limit": 50}


def test_events_tell_of_memory_running_out(lab: Lab) -> None:
    lab.spec["linux"]["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
    lab.create("sh", "-c", "sleep 1; tail /dev/zero; sleep 1000")
    words = [COMMAND, "--root", lab.root, "events", "--interval", "1h", lab.id]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as events:
        lab.call("start", lab.id)
        assert events.stdout
        assert json.loads(events.stdout.readline()) == {"type": "oom", "id": lab.id}
        lab.call("kill", lab.id, "KILL")
        assert events.wait(10) == 0


def test_mounts_come_and_go_while_it_runs(lab: Lab) -> None:
    lab.spec["root"]["readonly"] = False
    lab.run("sleep", "1000")
    os.mkdir(f"{lab.bundle}/volume")
    with open(f"{lab.bundle}/volume/file", "w"), open(f"{lab.bundle}/mounts", "w") as file:
        bind = {"destination": "/data", "type": "bind", "source": f"{lab.bundle}/volume", "options": ["bind", "ro"]}
        json.dump([bind, {"destination": "/data2", "type": "tmpfs", "source": "tmpfs"}], file)
    lab.call("mounts", "add", lab.id, f"{lab.bundle}/mounts")
    with open(f"/proc/{lab.state()['pid']}/mountinfo") as file:
        lines = {line.split()[4]: line for line in file}
    assert " ro" in lines["/data"] and " - tmpfs " in lines["/data2"]
    assert os.path.exists(f"/proc/{lab.state()['pid']}/root/data/file")
    lab.call("mounts", "remove", lab.id, f"{lab.bundle}/mounts")
    with open(f"/proc/{lab.state()['pid']}/mountinfo") as file:
        assert not {"/data", "/data2"} & {line.split()[4] for line in file}
    assert "cannot unmount" in lab.failure("mounts", "remove", lab.id, f"{lab.bundle}/mounts")


def test_poststop_hooks_see_the_container_off(lab: Lab) -> None:
    script = f"cat > {lab.bundle}/seen"
    lab.spec["hooks"] = {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    lab.run("true")
    eventually(lambda: lab.status() == "stopped")
    lab.call("delete", lab.id)
    with open(f"{lab.bundle}/seen") as file:
        state = json.load(file)
    assert (state["id"], state["status"]) == (lab.id, "stopped")


def test_a_later_change_of_the_bundle_does_not_matter(lab: Lab) -> None:
    lab.create("sleep", "1000")
    lab.write("false")
    lab.call("start", lab.id)
    assert lab.status() == "running"


@pytest.mark.parametrize("is_detached", [True, False])
def test_restore_records_what_criu_made(lab: Lab, is_detached: bool) -> None:
    """With a stand-in for CRIU, which does not work on every kernel: it starts a process and writes its pid."""
    lab.write("sleep", "1000")
    images = f"{lab.bundle}/images"
    os.mkdir(images)
    with open(f"{images}/descriptors.json", "w") as file:
        json.dump(["/dev/null", "pipe:[1]", "pipe:[2]"], file)
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"cat > {lab.bundle}/hooked"]}
    lab.spec["hooks"] = {"prestart": [hook]}
    lab.write("sleep", "1000")
    with open(f"{lab.bundle}/criu", "w") as file:
        file.write(STAND_IN.format(python=sys.executable, seconds=1000 if is_detached else 0))
    os.chmod(f"{lab.bundle}/criu", 0o755)
    words = ["--criu", f"{lab.bundle}/criu", "restore", "--bundle", lab.bundle, "--image-path", images]
    if not is_detached:
        assert lab.call(*words, lab.id, check=False).returncode == 7
        assert "does not exist" in lab.failure("state", lab.id)
        return
    lab.call(*words, "--detach", "--pid-file", f"{lab.bundle}/pid", lab.id)
    state = lab.state()
    assert state["status"] == "running"
    with open(f"{lab.bundle}/pid") as file:
        assert int(file.read()) == state["pid"]
    with open(f"{lab.bundle}/hooked") as file:
        assert json.load(file)["pid"] == state["pid"]
    assert json.loads(lab.call("ps", "-f", "json", lab.id).stdout) == [state["pid"]]
    with open("/proc/self/mountinfo") as file:
        assert "criu-root" not in file.read()


STAND_IN = """#!{python}
import os, subprocess, sys, time
from sampan.linux import syscalls
words = sys.argv
value = lambda name: words[words.index(name) + 1]
assert value("--root") in open("/proc/self/mountinfo").read() and "--cgroup-root" in words
pid, _ = syscalls.clone3(0x00008000, exit_signal=0)  # CLONE_PARENT, as --restore-sibling has it
if not pid:
    time.sleep({seconds})
    os._exit(7)
env = dict(os.environ, CRTOOLS_SCRIPT_ACTION="setup-namespaces", CRTOOLS_INIT_PID=str(pid))
subprocess.run([value("--action-script")], env=env, check=True)
with open(value("--pidfile"), "w") as file:
    file.write(str(pid))
"""
