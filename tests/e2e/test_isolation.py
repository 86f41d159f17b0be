"""What a container sees of itself, and does not see of the host: namespaces, capabilities, mounts.

What holds against attempts to get out is in tests/attacks.
"""

import os

import pytest

from support.api import Api

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay, pytest.mark.needs_busybox]
NAMESPACES = ("mnt", "pid", "uts", "ipc", "net", "cgroup")
# As in Docker, the default depends on the version of control groups: with v1 the host's namespace, with v2 its own.
OWN_CGROUP = {"CgroupnsMode": "private"}
DEFAULT_CAPABILITIES = "00000000a80425fb"
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def inside(api: Api, image: str, *command: str, **fields: object) -> str:
    """Run to the end without network; what it printed."""
    host = {"NetworkMode": "none", **fields.pop("host", {})}  # type: ignore[dict-item]
    made = api.started(image, *command, host=host, **fields)
    try:
        code = api.wait(made)
        printed = api.logs(made).decode()
        assert code == 0, printed
        return printed
    finally:
        api.remove(made)


def script(api: Api, image: str, text: str, **fields: object) -> list[str]:
    """Run a shell script to the end; its lines."""
    return inside(api, image, "sh", "-c", text, **fields).splitlines()


def test_each_namespace_is_not_the_hosts(api: Api, image: str) -> None:
    text = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in NAMESPACES)
    seen = script(api, image, text, host=OWN_CGROUP)
    host = [os.readlink(f"/proc/self/ns/{kind}") for kind in NAMESPACES]
    assert len(seen) == len(NAMESPACES)
    assert [kind for kind, a, b in zip(NAMESPACES, seen, host, strict=True) if a == b] == []


def test_two_containers_share_no_namespace(api: Api, image: str) -> None:
    text = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in NAMESPACES)
    # A namespace's number is used again once it is gone, so both run at once.
    pair = [api.started(image, "sh", "-c", f"{text}; sleep 60", host=OWN_CGROUP) for _ in range(2)]
    try:
        one, two = (api.exec(made, "sh", "-c", text)[1].split() for made in pair)
        assert len(one) == len(NAMESPACES) and not set(one) & set(two)
    finally:
        for made in pair:
            api.remove(made)


def test_the_command_is_the_first_process_and_sees_only_its_own(api: Api, image: str) -> None:
    assert script(api, image, "echo $$; ls -d /proc/[0-9]*") == ["1", "/proc/1"]


def test_capabilities_are_dockers_default_fourteen(api: Api, image: str) -> None:
    rows = dict(line.split(":\t") for line in script(api, image, "grep ^Cap /proc/self/status"))
    assert rows["CapEff"] == rows["CapPrm"] == rows["CapBnd"] == DEFAULT_CAPABILITIES
    assert rows["CapInh"] == rows["CapAmb"] == "0" * 16


def test_an_ordinary_user_has_no_capabilities(api: Api, image: str) -> None:
    assert script(api, image, "grep CapEff /proc/self/status", User="app") == ["CapEff:\t" + "0" * 16]


def test_privileged_has_every_capability_and_a_writable_sys(api: Api, image: str) -> None:
    text = "grep CapEff /proc/self/status; grep ' /sys sysfs ' /proc/mounts"
    effective, sys = script(api, image, text, host={"Privileged": True})
    with open("/proc/self/status") as file:
        bounding = next(line.split()[1] for line in file if line.startswith("CapBnd"))
    assert effective.split()[1] == bounding and " rw," in sys


def test_no_new_privileges_is_off_unless_asked_for(api: Api, image: str) -> None:
    text = "grep NoNewPrivs /proc/self/status"
    assert script(api, image, text) == ["NoNewPrivs:\t0"]
    assert script(api, image, text, host={"SecurityOpt": ["no-new-privileges"]}) == ["NoNewPrivs:\t1"]


def test_sys_and_cgroup_are_read_only(api: Api, image: str) -> None:
    lines = script(api, image, "grep -E '^(sysfs|cgroup2?) ' /proc/mounts")
    assert len(lines) >= 2 and all(line.split()[3].split(",")[0] == "ro" for line in lines)


@pytest.mark.parametrize("path", READ_ONLY)
def test_kernel_settings_are_read_only(api: Api, image: str, path: str) -> None:
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no {path}")
    (mount,) = script(api, image, f"grep ' {path} ' /proc/mounts")
    assert mount.split()[3].startswith("ro")


def test_dev_has_its_nodes_and_links_and_no_host_disk(api: Api, image: str) -> None:
    listed = script(api, image, "ls /dev; for f in fd stdin stdout stderr ptmx; do readlink /dev/$f; done")
    expected = {"full", "null", "random", "tty", "urandom", "zero", "fd", "pts", "ptmx", "shm", "mqueue"}
    assert expected <= set(listed) and not {"sda", "vda", "mem", "kmsg", "loop0"} & set(listed)
    assert listed[-5:] == ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"]


def test_shm_and_mqueue_are_mounted_with_dockers_size(api: Api, image: str) -> None:
    shm, mqueue = sorted(script(api, image, "grep -E ' /dev/(shm|mqueue) ' /proc/mounts"), reverse=True)
    assert shm.startswith("shm /dev/shm tmpfs") and "size=65536k" in shm and mqueue.startswith("mqueue /dev/mqueue")
    (bigger,) = script(api, image, "grep ' /dev/shm ' /proc/mounts", host={"ShmSize": 1 << 20})
    assert "size=1024k" in bigger


def test_the_old_root_and_the_hosts_mounts_are_gone(api: Api, image: str) -> None:
    mounted = {line.split()[1] for line in script(api, image, "cat /proc/mounts")}
    allowed = ("/proc", "/dev", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
    assert [path for path in mounted if path != "/" and not path.startswith(allowed)] == []


def test_mounts_inside_do_not_show_on_the_host(api: Api, image: str, tmp_path) -> None:
    made = api.started(image, "sh", "-c", "mount -t tmpfs inside /vol && touch /vol/here && sleep 60",
                       host={"Privileged": True, "Binds": [f"{tmp_path}:/vol"]})  # fmt: skip
    try:
        assert not list(tmp_path.iterdir())
    finally:
        api.remove(made)


def test_what_one_container_writes_another_of_the_same_image_does_not_see(api: Api, image: str) -> None:
    script(api, image, "echo x >/www/index.html; rm /etc/passwd; touch /new")
    assert script(api, image, "cat /www/index.html; ls /etc/passwd; ls /new 2>/dev/null; true") == [
        "<h1>a page</h1>",
        "/etc/passwd",
    ]


def test_the_environment_of_the_engine_is_not_inherited(api: Api, image: str) -> None:
    seen = {line.split("=")[0] for line in inside(api, image, "env").splitlines()}
    assert seen == {"PATH", "HOSTNAME", "HOME"}


def test_pid_one_has_default_signals(api: Api, image: str) -> None:
    rows = dict(line.split(":\t") for line in script(api, image, "exec grep ^Sig /proc/self/status"))
    assert rows["SigBlk"] == rows["SigIgn"] == rows["SigCgt"] == "0" * 16


def test_process_limits_name_and_umask_are_as_usual(api: Api, image: str) -> None:
    assert script(api, image, "umask; cat /proc/self/oom_score_adj") == ["0022", "0"]
