"""exec: further processes in a running container."""

import json
import os

import pytest

from support.ociruntime import Lab
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]


@pytest.fixture(autouse=True)
def running(lab: Lab) -> Lab:
    lab.process["env"].append("FROM=config")
    lab.detach()
    return lab


def test_a_further_process_shares_the_namespaces(lab: Lab) -> None:
    kinds = ("pid", "net", "ipc", "uts", "mnt")
    ours = lab.exec("sh", "-c", f"for kind in {' '.join(kinds)}; do readlink /proc/self/ns/$kind; done").split()
    assert ours == [os.readlink(f"/proc/{lab.pid()}/ns/{kind}") for kind in kinds]


def test_exec_ends_with_the_code_of_its_program(lab: Lab) -> None:
    assert lab.call("exec", lab.id, "sh", "-c", "exit 11", check=False).returncode == 11
    assert lab.call("exec", lab.id, "sh", "-c", "kill -KILL $$", check=False).returncode == 137


def test_environment_directory_and_user_can_be_given(lab: Lab) -> None:
    script = "echo $FROM $ADDED; pwd; id -u; id -g; id -G"
    options = ("--env", "ADDED=here", "--cwd", "/tmp", "--user", "7:8", "--additional-gids", "9")
    lines = lab.exec("sh", "-c", script, options=options).split("\n")
    assert lines[:4] == ["config here", "/tmp", "7", "8"]
    assert "9" in lines[4].split()


def test_a_process_can_come_from_a_file(lab: Lab) -> None:
    process = {"args": ["sh", "-c", "echo $A; pwd; id -u"], "cwd": "/etc", "env": ["PATH=/bin", "A=b"]}
    with open(f"{lab.folder}/process.json", "w") as file:
        json.dump(process | {"user": {"uid": 5, "gid": 5}}, file)
    done = lab.call("exec", "--process", f"{lab.folder}/process.json", lab.id)
    assert done.stdout.split() == ["b", "/etc", "5"]


def test_a_detached_process_leaves_its_pid(lab: Lab) -> None:
    lab.call("exec", "--detach", "--pid-file", f"{lab.folder}/pid", lab.id, "sleep", "601")
    with open(f"{lab.folder}/pid") as file:
        pid = int(file.read())
    with open(f"/proc/{pid}/cmdline") as file:
        assert file.read().split("\0")[:2] == ["sleep", "601"]
    assert str(pid) in lab.cgroup("pids", "cgroup.procs", "cgroup.procs").split()
    assert pid in json.loads(lab.call("ps", "--format", "json", lab.id).stdout)


def test_a_process_has_the_capabilities_of_the_container_and_what_is_added(lab: Lab) -> None:
    def permitted(*options: str) -> int:
        return int(lab.exec("sh", "-c", "grep CapPrm /proc/self/status", options=options).split()[1], 16)

    net_raw = 1 << 13
    assert not permitted() & net_raw
    assert permitted("--cap", "CAP_NET_RAW") == permitted() | net_raw


def test_no_new_privileges_can_be_asked_for(lab: Lab) -> None:
    script = "grep NoNewPrivs /proc/self/status"
    assert lab.exec("sh", "-c", script).split()[1] == "0"
    assert lab.exec("sh", "-c", script, options=("--no-new-privs",)).split()[1] == "1"


def test_descriptors_are_passed_on_where_they_are_asked_for(lab: Lab) -> None:
    read, write = os.pipe()
    os.write(write, b"handed over\n")
    os.close(write)
    done = lab.call("exec", "--preserve-fds", "1", lab.id, "sh", "-c", "cat <&3", stdin=read, as_third=True)
    os.close(read)
    assert done.stdout == "handed over\n"


def test_a_program_that_is_missing_is_refused(lab: Lab) -> None:
    assert "/no/such/program" in lab.refusal("exec", lab.id, "/no/such/program")
    assert lab.refusal("exec", "--cwd", "/no/such/place", lab.id, "true")
    assert lab.status() == "running"


def test_nothing_runs_in_a_container_that_has_stopped(lab: Lab) -> None:
    lab.call("kill", lab.id, "KILL")
    lab.wait_stopped()
    assert lab.refusal("exec", lab.id, "true")


def test_the_end_of_the_container_ends_further_processes(lab: Lab) -> None:
    lab.call("exec", "--detach", "--pid-file", f"{lab.folder}/pid", lab.id, "sleep", "601")
    with open(f"{lab.folder}/pid") as file:
        pid = int(file.read())
    lab.call("kill", lab.id, "KILL")
    eventually(lambda: not os.path.exists(f"/proc/{pid}/exe"))
