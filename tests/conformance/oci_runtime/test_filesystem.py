"""The container's root, its mounts, and paths that are masked or read-only."""

import os

import pytest

from support.ociruntime import Lab, mount

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]


def test_the_root_is_the_bundles_and_nothing_of_the_host_is_mounted(lab: Lab) -> None:
    found = lab.output("cat", "/proc/self/mountinfo").splitlines()
    targets = [line.split()[4] for line in found]
    assert targets[0] == "/"
    assert {"/proc", "/dev", "/dev/pts", "/dev/shm"} <= set(targets)
    assert not [line for line in found if "cgroup" in line or "/sys" in line.split()[4].removeprefix("/proc/sys")[:4]]


def test_a_read_only_root_cannot_be_written(lab: Lab) -> None:
    lab.config["root"]["readonly"] = True
    assert lab.output("sh", "-c", "echo x > /mark || echo refused; echo x > /dev/shm/mark && echo written").split() == [
        "refused",
        "written",
    ]


@pytest.mark.parametrize(("option", "outcome"), [("rw", "written"), ("ro", "refused")])
def test_a_directory_of_the_host_is_bound(lab: Lab, option: str, outcome: str) -> None:
    os.mkdir(f"{lab.folder}/shared")
    with open(f"{lab.folder}/shared/letter", "w") as file:
        file.write("from the host\n")
    lab.config["mounts"].append(mount("/made/shared", "bind", "rbind", option, source=f"{lab.folder}/shared"))
    script = "cat /made/shared/letter; echo x > /made/shared/answer && echo written || echo refused"
    assert lab.output("sh", "-c", script).split("\n")[-2:] == ["from the host", outcome]
    assert os.path.exists(f"{lab.folder}/shared/answer") == (outcome == "written")


def test_a_file_of_the_host_is_bound(lab: Lab) -> None:
    with open(f"{lab.folder}/letter", "w") as file:
        file.write("from the host\n")
    lab.config["mounts"].append(mount("/etc/letter", "bind", "bind", "ro", source=f"{lab.folder}/letter"))
    assert lab.output("cat", "/etc/letter") == "from the host"


def test_a_mount_point_stays_in_the_root_wherever_a_link_leads(lab: Lab) -> None:
    os.symlink("/etc/../../../../outside", f"{lab.rootfs}/way")
    lab.config["mounts"].append(mount("/way", "tmpfs", "size=64k"))
    lab.output("touch", "/way/mark")
    assert not os.path.exists("/outside")
    assert os.path.isdir(f"{lab.rootfs}/outside")


def test_mount_options_take_effect(lab: Lab) -> None:
    lab.config["mounts"].append(mount("/scratch", "tmpfs", "nosuid", "noexec", "nodev", "size=128k", "mode=1711"))
    script = "grep ' /scratch ' /proc/self/mountinfo; stat -c %a /scratch; cp /bin/busybox /scratch 2>&1; echo $?"
    lines = lab.output("sh", "-c", script).split("\n")
    assert {"nosuid", "noexec", "nodev"} <= set(lines[0].split()[5].split(","))
    assert "size=128k" in lines[0]
    assert lines[1] == "1711"
    assert lines[-1] == "1"


def test_masked_paths_are_empty(lab: Lab) -> None:
    lab.linux["maskedPaths"] = ["/etc/passwd", "/www", "/proc/no/such/path"]
    assert lab.output("sh", "-c", "cat /etc/passwd; ls /www; echo end; touch /www/x 2>/dev/null || echo refused") == (
        "end\nrefused"
    )


def test_read_only_paths_cannot_be_written(lab: Lab) -> None:
    lab.linux["readonlyPaths"] = ["/www", "/proc/no/such/path"]
    assert lab.output("sh", "-c", "cat /www/index.html; touch /www/x 2>/dev/null || echo refused") == (
        "<h1>a page</h1>\nrefused"
    )


def test_the_usual_devices_and_links_are_there(lab: Lab) -> None:
    found = set(lab.output("ls", "/dev").split())
    assert {"null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "stdout", "stderr", "ptmx"} <= found
    assert lab.output("sh", "-c", "readlink /dev/fd; readlink /dev/stdin").split() == [
        "/proc/self/fd",
        "/proc/self/fd/0",
    ]


def test_what_the_container_mounts_is_not_seen_outside(lab: Lab) -> None:
    lab.detach()
    with open("/proc/self/mountinfo") as file:
        assert lab.rootfs not in file.read()
