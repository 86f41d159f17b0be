"""What the config says of the process: user, directory, limits, capabilities, and so on."""

import pytest

from support.ociruntime import HOLD, Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]


def status(lab: Lab) -> dict[str, str]:
    """/proc/self/status of a process in the container."""
    pairs = (line.partition(":") for line in lab.output("cat", "/proc/self/status").splitlines())
    return {name: value.strip() for name, _, value in pairs}


def test_the_process_is_who_the_config_says(lab: Lab) -> None:
    lab.process["user"] = {"uid": 11, "gid": 12, "additionalGids": [13, 14]}
    found = status(lab)
    assert found["Uid"].split() == ["11"] * 4
    assert found["Gid"].split() == ["12"] * 4
    assert found["Groups"].split() == ["13", "14"]


def test_a_user_without_capabilities_has_none(lab: Lab) -> None:
    lab.process["capabilities"] = {}
    found = status(lab)
    assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}


def test_capabilities_are_set_in_all_five_sets(lab: Lab) -> None:
    kill, net_raw = 1 << 5, 1 << 13
    both, one = ["CAP_KILL", "CAP_NET_RAW"], ["CAP_KILL"]
    lab.process["user"] = {"uid": 11, "gid": 12}
    lab.process["capabilities"] = {
        "bounding": both,
        "permitted": both,
        "effective": one,
        "inheritable": one,
        "ambient": one,
    }
    found = status(lab)
    assert int(found["CapBnd"], 16) == kill | net_raw
    # What a program without file capabilities is left with: the ambient ones (capabilities(7)).
    assert {int(found[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {kill}


def test_no_new_privileges_is_set(lab: Lab) -> None:
    lab.process["noNewPrivileges"] = True
    assert status(lab)["NoNewPrivs"] == "1"


def test_resource_limits_are_set(lab: Lab) -> None:
    lab.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 101, "hard": 202}]
    assert lab.output("sh", "-c", "ulimit -S -n; ulimit -H -n").split() == ["101", "202"]


def test_directory_and_environment_are_set(lab: Lab) -> None:
    lab.process["cwd"] = "/www"
    lab.process["env"] = ["PATH=/bin", "COLOUR=green"]
    assert lab.output("sh", "-c", "pwd; echo $COLOUR; cat index.html").split("\n")[:2] == ["/www", "green"]


def test_the_umask_is_set(lab: Lab) -> None:
    lab.process["user"]["umask"] = 0o27
    assert int(lab.output("sh", "-c", "umask"), 8) == 0o27


def test_the_oom_score_is_set(lab: Lab) -> None:
    lab.process["oomScoreAdj"] = 321
    lab.detach(*HOLD)
    with open(f"/proc/{lab.pid()}/oom_score_adj") as file:
        assert file.read().strip() == "321"


def test_a_program_is_found_by_the_path_of_its_own_environment(lab: Lab) -> None:
    lab.process["env"] = ["PATH=/nowhere:/bin"]
    assert lab.output("echo", "found") == "found"
    lab.process["env"] = ["PATH=/nowhere"]
    assert not lab.run("echo", "found", check=False).stdout


def test_a_system_call_filter_is_in_force(lab: Lab) -> None:
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 36}
    lab.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    found = lab.output("sh", "-c", "mkdir /made 2>&1; touch /mark && echo touched; grep Seccomp: /proc/self/status")
    assert found.split("\n")[0].endswith("File name too long")
    assert "touched" in found
    assert found.split()[-1] == "2"


def test_a_process_has_only_its_three_descriptors(lab: Lab) -> None:
    assert lab.output("ls", "/proc/self/fd").split() == ["0", "1", "2", "3"]
