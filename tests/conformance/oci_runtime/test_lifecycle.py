"""create, start, state, kill, delete and run, as any OCI runtime has them (runtime-spec, runtime.md)."""

import json
import os
import signal
import subprocess

import pytest

from support.ociruntime import HOLD, Lab
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]


def test_a_created_container_runs_its_program_only_when_it_is_started(lab: Lab) -> None:
    lab.create("sh", "-c", "echo ran > /mark")
    assert lab.status() == "created"
    assert lab.read("mark") == ""
    lab.start()
    lab.wait_stopped()
    assert lab.read("mark") == "ran\n"


def test_the_state_names_bundle_process_and_annotations(lab: Lab) -> None:
    lab.config["annotations"] = {"org.example.colour": "green"}
    lab.create(*HOLD)
    state = lab.state()
    assert state["id"] == lab.id
    assert state["bundle"] == lab.bundle
    assert state["annotations"] == {"org.example.colour": "green"}
    assert state["ociVersion"].startswith("1.")
    assert os.path.samefile(f"/proc/{state['pid']}/root", lab.rootfs)


def test_the_pid_file_holds_the_first_process(lab: Lab) -> None:
    lab.create(*HOLD, options=("--pid-file", f"{lab.folder}/pid"))
    with open(f"{lab.folder}/pid") as file:
        assert int(file.read()) == lab.pid()


def test_a_stopped_container_has_no_process_and_can_be_deleted(lab: Lab) -> None:
    lab.detach("true")
    lab.wait_stopped()
    assert lab.state().get("pid", 0) == 0
    lab.call("delete", lab.id)
    assert not lab.exists()


@pytest.mark.parametrize("name", ["TERM", "SIGTERM", "15"])
def test_kill_sends_the_signal_by_name_and_by_number(lab: Lab, name: str) -> None:
    lab.detach("sh", "-c", "trap 'echo heard > /mark; exit' TERM; echo ready > /ready; while :; do sleep 0.01; done")
    eventually(lambda: lab.read("ready"))
    lab.call("kill", lab.id, name)
    lab.wait_stopped()
    assert lab.read("mark") == "heard\n"


def test_a_stopped_container_cannot_be_killed_or_started(lab: Lab) -> None:
    lab.detach("true")
    lab.wait_stopped()
    assert lab.refusal("kill", lab.id, "KILL")
    assert lab.refusal("start", lab.id)


def test_a_running_container_is_deleted_only_by_force(lab: Lab) -> None:
    lab.detach()
    pid = lab.pid()
    assert lab.refusal("delete", lab.id)
    assert lab.status() == "running"
    lab.call("delete", "--force", lab.id)
    assert not lab.exists()
    eventually(lambda: not os.path.exists(f"/proc/{pid}/exe"))


def test_a_created_container_can_be_deleted(lab: Lab) -> None:
    lab.create(*HOLD)
    lab.call("delete", lab.id)
    assert not lab.exists()


def test_a_container_starts_once(lab: Lab) -> None:
    lab.detach()
    assert lab.refusal("start", lab.id)
    assert lab.status() == "running"


def test_an_id_is_given_once(lab: Lab) -> None:
    lab.detach()
    pid = lab.pid()
    assert "exist" in lab.refusal("create", "--bundle", lab.bundle, lab.id)
    assert (lab.status(), lab.pid()) == ("running", pid)


def test_what_becomes_of_config_json_later_does_not_matter(lab: Lab) -> None:
    lab.create("sh", "-c", "echo first > /mark")
    lab.write("sh", "-c", "echo second > /mark")
    lab.start()
    lab.wait_stopped()
    assert lab.read("mark") == "first\n"


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM)])
def test_run_ends_with_the_code_of_its_program(lab: Lab, script: str, code: int) -> None:
    # Not the shell itself: as PID 1 it would not be ended by a signal that it has no handler for.
    done = lab.run("sh", "-c", f"sh -c '{script}'; exit $?", check=False)
    assert done.returncode == code


def test_run_passes_the_standard_streams_through(lab: Lab) -> None:
    lab.write("sh", "-c", "cat; echo complaint >&2")
    read, write = os.pipe()
    os.write(write, b"letter\n")
    os.close(write)
    done = lab.call("run", "--bundle", lab.bundle, lab.id, stdin=read)
    os.close(read)
    assert (done.stdout, done.stderr) == ("letter\n", "complaint\n")


def test_run_leaves_no_container_behind(lab: Lab) -> None:
    assert lab.output("echo", "hello") == "hello"
    assert not lab.exists()


def test_run_passes_signals_on(lab: Lab) -> None:
    lab.write("sh", "-c", "trap 'exit 9' TERM; echo ready > /ready; while :; do sleep 0.01; done")
    process = subprocess.Popen(lab.words("run", "--bundle", lab.bundle, lab.id), stdin=subprocess.DEVNULL)
    eventually(lambda: lab.read("ready"))
    process.terminate()
    assert process.wait(20) == 9


def test_descriptors_are_passed_on_where_they_are_asked_for(lab: Lab) -> None:
    lab.write("sh", "-c", "cat <&3; ls /proc/self/fd | wc -l")
    read, write = os.pipe()
    os.write(write, b"handed over\n")
    os.close(write)
    done = lab.call("run", "--preserve-fds", "1", "--bundle", lab.bundle, lab.id, stdin=read, as_third=True)
    os.close(read)
    # 0 to 3, and the one that lists; without preserve-fds nothing above 2 gets through.
    assert done.stdout.split("\n")[:2] == ["handed over", "5"]
    assert lab.output("sh", "-c", "ls /proc/self/fd | wc -l") == "4"


def test_a_program_that_is_missing_fails_and_leaves_nothing(lab: Lab) -> None:
    lab.write("/no/such/program")
    assert "/no/such/program" in lab.refusal("run", "--bundle", lab.bundle, lab.id)
    assert not lab.exists()
    assert not os.path.exists(lab.cgroup_folder("pids"))


def test_list_knows_the_containers(lab: Lab) -> None:
    os.makedirs(lab.states)
    assert json.loads(lab.call("list", "--format", "json").stdout) in (None, [])
    lab.detach()
    [found] = json.loads(lab.call("list", "--format", "json").stdout)
    assert (found["id"], found["status"], found["pid"]) == (lab.id, "running", lab.pid())
    assert lab.call("list", "--quiet").stdout.split() == [lab.id]
    assert lab.call("list").stdout.split()[:6] == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
