"""Limits of the config, update, pause and resume, and what can be asked of a running container."""

import json
import os

import pytest

from support.ociruntime import Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]

MIB = 1 << 20


def test_the_limits_of_the_config_are_set(lab: Lab) -> None:
    lab.linux["resources"] = {
        "memory": {"limit": 64 * MIB},
        "pids": {"limit": 55},
        "cpu": {"quota": 5000, "period": 50000},
    }
    lab.detach()
    assert lab.cgroup("memory", "memory.limit_in_bytes", "memory.max") == str(64 * MIB)
    assert lab.cgroup("pids", "pids.max", "pids.max") == "55"
    assert lab.cgroup("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "5000"


def test_a_container_has_all_its_processes_in_its_cgroup(lab: Lab) -> None:
    lab.detach("sh", "-c", "sleep 602 & sleep 603 & wait")
    lab.call("exec", "--detach", lab.id, "sleep", "604")
    pids = set(map(int, lab.cgroup("pids", "cgroup.procs", "cgroup.procs").split()))
    assert lab.pid() in pids
    assert len(pids) == 4
    assert set(json.loads(lab.call("ps", "--format", "json", lab.id).stdout)) == pids
    assert lab.call("ps", lab.id).stdout.count("sleep 60") >= 3


def test_the_cgroup_goes_with_the_container(lab: Lab) -> None:
    lab.detach()
    folder = lab.cgroup_folder("pids")
    assert os.path.isdir(folder)
    lab.call("delete", "--force", lab.id)
    assert not os.path.exists(folder)


def test_limits_can_be_changed_by_options(lab: Lab) -> None:
    lab.linux["resources"] = {"memory": {"limit": 64 * MIB}}
    lab.detach()
    lab.call("update", "--memory", str(48 * MIB), "--memory-swap", str(96 * MIB), "--pids-limit", "20", lab.id)
    assert lab.cgroup("memory", "memory.limit_in_bytes", "memory.max") == str(48 * MIB)
    assert lab.cgroup("pids", "pids.max", "pids.max") == "20"


def test_limits_can_be_changed_by_a_file(lab: Lab) -> None:
    lab.detach()
    with open(f"{lab.folder}/resources.json", "w") as file:
        json.dump({"pids": {"limit": 31}, "cpu": {"quota": 7000, "period": 70000}}, file)
    lab.call("update", "--resources", f"{lab.folder}/resources.json", lab.id)
    assert lab.cgroup("pids", "pids.max", "pids.max") == "31"
    assert lab.cgroup("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "7000"


def test_a_paused_container_stands_still_until_it_is_resumed(lab: Lab) -> None:
    lab.detach("sh", "-c", "while read line; do :; done < /dev/zero")
    lab.call("pause", lab.id)
    assert lab.status() == "paused"
    assert _cpu_ticks(lab.pid()) == _cpu_ticks(lab.pid())
    assert lab.refusal("exec", lab.id, "true")
    lab.call("resume", lab.id)
    assert lab.status() == "running"
    assert lab.exec("echo", "again") == "again"


def _cpu_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_paused_container_can_be_deleted_by_force(lab: Lab) -> None:
    lab.detach()
    lab.call("pause", lab.id)
    lab.call("delete", "--force", lab.id)
    assert not lab.exists()


def test_statistics_can_be_asked_for(lab: Lab) -> None:
    lab.detach()
    found = json.loads(lab.call("events", "--stats", lab.id).stdout)
    assert (found["type"], found["id"]) == ("stats", lab.id)
    assert found["data"]["pids"]["current"] == 1
    assert found["data"]["memory"]["usage"]["usage"] > 0
    assert found["data"]["cpu"]["usage"]["total"] > 0


def test_devices_that_are_not_granted_cannot_be_opened(lab: Lab) -> None:
    for names in lab.process["capabilities"].values():
        if "CAP_MKNOD" not in names:
            names.append("CAP_MKNOD")
    lab.linux["resources"]["devices"] = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "access": "m"}]
    # The memory of the kernel may be made into a node, and not read; the usual devices stay.
    script = "mknod /kmsg c 1 11 && ! cat /kmsg 2>/dev/null && head -c 1 /dev/zero | wc -c && echo x > /dev/null"
    assert lab.output("sh", "-c", script) == "1"


def test_devices_of_the_config_are_there(lab: Lab) -> None:
    device = {"path": "/dev/loud", "type": "c", "major": 1, "minor": 7, "fileMode": 0o640, "uid": 3, "gid": 4}
    lab.linux["devices"] = [device]
    lab.linux["resources"]["devices"] = [{"allow": False, "access": "rwm"}]
    assert lab.output("stat", "-c", "%a %u %g %t %T %F", "/dev/loud") == "640 3 4 1 7 character special file"
