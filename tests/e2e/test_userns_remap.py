"""Containers of a daemon with --userns-remap: root inside, nobody outside; and on disk as if nothing were remapped."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import rootfs, subids
from support.api import Api, Refused
from support.engine import import_image
from support.frontend import Frontend
from support.sampand import Sampand
from support.waiting import eventually

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_busybox,
    pytest.mark.needs_sampand,
    pytest.mark.needs_subids,
]
IMAGE = "base:1"
NAMESPACES = ("user", "mnt", "pid", "uts", "ipc", "net", "cgroup")
OVERFLOW = 65534
REFUSED = {
    "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when "
    "running privileged mode": {"Privileged": True},
    "cannot share the host's network namespace when user namespaces are enabled": {"NetworkMode": "host"},
    "cannot share the host PID namespace when user namespaces are enabled": {"PidMode": "host"},
}


@pytest.fixture(scope="module")
def who() -> subids.Remapped:
    found = subids.first()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def remapped(who: subids.Remapped) -> Iterator[Sampand]:
    """One daemon for the module, with an image; nothing of its containers may be left at the end."""
    daemon = Sampand("--userns-remap", who.setting)
    try:
        daemon.start()
        import_image(daemon.api, IMAGE)
        yield daemon
    finally:
        daemon.destroy()


@pytest.fixture
def api(remapped: Sampand) -> Iterator[Api]:
    yield remapped.api
    remapped.remove_containers()


@pytest.fixture
def docker(remapped: Sampand, api: Api) -> Frontend:
    return Frontend("sampan", remapped.socket_path)


def script(api: Api, text: str, **fields: object) -> list[str]:
    """Run a shell script that must succeed; its lines."""
    made = api.started(IMAGE, "sh", "-c", text, **fields)
    code, printed = api.wait(made), api.logs(made).decode()
    assert code == 0, printed
    return printed.splitlines()


def ids(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_uid, found.st_gid


def status_ids(pid: int) -> tuple[list[str], list[str]]:
    with open(f"/proc/{pid}/status") as file:
        rows = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    return rows["Uid"].split(), rows["Gid"].split()


# who one is


def test_root_inside_is_a_subordinate_id_outside(api: Api, who: subids.Remapped) -> None:
    made = api.started(IMAGE, "sleep", "60")
    pid = api.inspect(made)["State"]["Pid"]
    assert status_ids(pid) == ([str(who.uid)] * 4, [str(who.gid)] * 4)
    code, printed = api.exec(made, "sh", "-c", "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map")
    uid, gid, *maps = printed.decode().splitlines()
    assert (code, uid, gid) == (0, "0", "0")
    expected = [["0", str(who.uid), str(who.uids)], ["0", str(who.gid), str(who.gids)]]
    assert [line.split() for line in maps[:1] + maps[-1:]] == expected


def test_an_ordinary_user_is_one_outside_too(api: Api, who: subids.Remapped) -> None:
    made = api.started(IMAGE, "sleep", "60", User="app")
    pid = api.inspect(made)["State"]["Pid"]
    assert status_ids(pid) == ([str(who.uid + 1000)] * 4, [str(who.gid + 1000)] * 4)


def test_each_container_has_namespaces_of_its_own_that_belong_to_its_user_namespace(api: Api) -> None:
    pids = [api.inspect(api.started(IMAGE, "sleep", "60"))["State"]["Pid"] for _ in range(2)]
    links = {kind: {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in (*pids, "self")} for kind in NAMESPACES}
    assert {kind: len(found) for kind, found in links.items()} == dict.fromkeys(NAMESPACES, 3)


def test_an_exec_joins_the_user_namespace(api: Api, who: subids.Remapped) -> None:
    made = api.started(IMAGE, "sleep", "60")
    pid = api.inspect(made)["State"]["Pid"]
    code, printed = api.exec(made, "sh", "-c", "readlink /proc/self/ns/user; id -u")
    assert (code, printed.decode().split()) == (0, [os.readlink(f"/proc/{pid}/ns/user"), "0"])
    assert api.exec(made, "id", User="1000:1001")[1].startswith(b"uid=1000(app) gid=1001(extra)")
    code, printed = api.exec(made, "grep", "CapEff", "/proc/self/status", Privileged=True)
    assert code == 0 and int(printed.split()[1], 16) > 0xA80425FB


def test_streams_can_be_opened_anew_by_root_and_by_others(api: Api) -> None:
    text = "echo out >/dev/stdout; echo err >/dev/stderr"
    assert sorted(script(api, text)) == ["err", "out"]
    assert sorted(script(api, text, User="app")) == ["err", "out"]
    made = api.started(IMAGE, "sleep", "60")
    for user in ("", "1000"):
        assert sorted(api.exec(made, "sh", "-c", text, User=user)[1].split()) == [b"err", b"out"]


def test_an_id_that_is_not_mapped_is_refused(api: Api, who: subids.Remapped) -> None:
    made = api.create(IMAGE, "true", User=str(who.uids))
    with pytest.raises(Refused, match="not mapped in the user namespace"):
        api.start(made)


# files


def test_files_on_disk_have_the_containers_ids(api: Api, remapped: Sampand) -> None:
    text = "echo mine >/root/file; touch /app; chown 1000:1001 /app; chown 10 /www/index.html; stat -c %u:%g /app"
    made = api.create(IMAGE, "sh", "-c", text)
    api.start(made)
    assert api.wait(made) == 0 and api.logs(made) == b"1000:1001\n"
    upper = api.inspect(made)["GraphDriver"]["Data"]["UpperDir"]
    found = [ids(f"{upper}/{name}") for name in ("", "root/file", "app", "www/index.html")]
    assert found == [(0, 0), (0, 0), (1000, 1001), (10, 0)]
    api.start(made)  # again, on what it has written
    assert api.wait(made) == 0


def test_the_images_files_are_the_containers_and_can_be_changed(api: Api) -> None:
    text = "stat -c %u:%g / /bin/busybox; rm /www/index.html; mkdir /www/new; mv /bin/badformat /www/new; ls /www/new"
    assert script(api, text) == ["0:0", "0:0", "badformat"]


def test_its_files_in_etc_are_its_own(api: Api, remapped: Sampand) -> None:
    files = [f"/etc/{name}" for name in ("hosts", "hostname", "resolv.conf")]
    text = f"stat -c %u:%g {' '.join(files)}; echo 192.0.2.1 x >>/etc/hosts"
    assert script(api, text) == ["0:0"] * 3
    made = api("GET", "/containers/json", all=1)[0]["Id"]
    path = api.inspect(made)["HostsPath"]
    assert ids(path) == (0, 0) and "192.0.2.1 x" in Path(path).read_text()


def test_a_volume_is_the_containers_and_on_disk_roots(api: Api, remapped: Sampand) -> None:
    mounted = {"Binds": ["data:/vol"]}
    assert script(api, "touch /vol/a; touch /vol/b; chown 1000 /vol/b; stat -c %u /vol", host=mounted) == ["0"]
    place = f"{remapped.data_root}/volumes/data/_data"
    assert [ids(f"{place}/{name}") for name in ("", "a", "b")] == [(0, 0), (0, 0), (1000, 0)]
    outside = {**mounted, "UsernsMode": "host"}
    assert script(api, "stat -c %u /vol/a /vol/b", host=outside) == ["0", "1000"]


def test_a_new_volume_is_filled_with_what_the_image_has(api: Api, remapped: Sampand) -> None:
    host = {"Binds": ["pages:/www"]}
    assert script(api, "cat /www/index.html; stat -c %u:%g /www/index.html", host=host) == ["<h1>a page</h1>", "0:0"]
    assert ids(f"{remapped.data_root}/volumes/pages/_data/index.html") == (0, 0)


def test_what_is_the_hosts_stays_the_hosts(api: Api, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "readable").write_text("y")
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o755)
    text = (
        "stat -c %u:%g /host/secret; cat /host/readable; echo;"
        "for try in 'cat /host/secret' 'touch /host/new' 'rm /host/readable' 'chown 0 /host/secret'; do"
        " $try 2>/dev/null && echo did $try; done; true"
    )
    found = script(api, text, host={"Binds": [f"{tmp_path}:/host"]})
    assert found == [f"{OVERFLOW}:{OVERFLOW}", "y"]
    assert sorted(os.listdir(tmp_path)) == ["readable", "secret"]


def test_a_missing_source_is_made_for_the_containers_root(api: Api, tmp_path: Path, who: subids.Remapped) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o755)
    script(api, "touch /made/file", host={"Binds": [f"{tmp_path}/one/two:/made"]})
    found = [ids(f"{tmp_path}/{name}") for name in ("one", "one/two", "one/two/file")]
    assert found == [(who.uid, who.gid)] * 3


def test_a_read_only_root_a_tmpfs_and_a_missing_working_directory(api: Api) -> None:
    host = {"ReadonlyRootfs": True, "Tmpfs": {"/t": "uid=5,gid=6,mode=700"}}
    text = "touch /x 2>/dev/null || echo read-only; stat -c %u:%g:%a /t; touch /dev/shm/x && echo shm"
    assert script(api, text, host=host) == ["read-only", "5:6:700", "shm"]
    assert script(api, "pwd; stat -c %u:%g .", WorkingDir="/not/there") == ["/not/there", "0:0"]


# what it may


def test_ports_below_1024_and_ping_are_for_everybody(api: Api) -> None:
    made = api.started(IMAGE, "sleep", "60")
    pid = api.inspect(made)["State"]["Pid"]
    program = (
        "import socket as s; s.socket(s.AF_INET, s.SOCK_STREAM).bind(('', 80));"
        "s.socket(s.AF_INET, s.SOCK_DGRAM, s.getprotobyname('icmp')); print('both')"
    )
    joined = ["nsenter", "--target", str(pid), "--user", "--net", "--setuid", "1000", "--setgid", "60000"]
    found = subprocess.run([*joined, sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("both\n", "")


def test_its_sysfs_shows_its_own_network_devices(api: Api) -> None:
    assert sorted(script(api, "ls /sys/class/net")) == ["eth0", "lo"]


def test_net_admin_and_sysctls_are_the_network_namespaces(api: Api) -> None:
    host = {"CapAdd": ["NET_ADMIN"], "Sysctls": {"net.ipv4.ip_forward": "0", "kernel.shmmax": "65536"}}
    text = "ip link set lo mtu 1400; cat /sys/class/net/lo/mtu /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax"
    assert script(api, text, host=host) == ["1400", "0", "65536"]


def test_host_and_domain_name_are_set(api: Api) -> None:
    text = "hostname; cat /proc/sys/kernel/domainname"
    assert script(api, text, Hostname="box", Domainname="example.org") == ["box", "example.org"]


def test_a_published_port_is_reached(api: Api) -> None:
    publish = {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}
    made = api.started(IMAGE, "httpd", "-f", "-h", "/www", host=publish)
    port = api.inspect(made)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]

    def page() -> bytes:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
                return bytes(response.read())
        except OSError:
            return b""  # it does not listen yet

    eventually(lambda: page() == rootfs.PAGE)


def test_limits_hold(api: Api) -> None:
    host = {"PidsLimit": 7, "Ulimits": [{"Name": "nofile", "Soft": 500, "Hard": 600}], "OomScoreAdj": 500}
    made = api.started(IMAGE, "sleep", "60", host=host)
    code, printed = api.exec(made, "sh", "-c", "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj")
    assert (code, printed) == (0, b"500\n600\n500\n")
    code, printed = api.exec(made, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done")
    assert b"can't fork" in printed


def test_a_device_is_there_with_the_containers_root_as_its_owner(api: Api) -> None:
    device = {"PathOnHost": "/dev/null", "PathInContainer": "/dev/void", "CgroupPermissions": "rwm"}
    text = (
        "stat -c %u:%g:%t:%T /dev/void; echo x >/dev/void; echo y >/dev/null; mknod /tmp/d c 1 3 2>/dev/null || echo no"
    )
    assert script(api, text, host={"Devices": [device]}) == ["0:0:1:3", "no"]


def test_an_init_reaps_and_forwards(api: Api) -> None:
    made = api.started(IMAGE, "sh", "-c", "trap 'exit 7' TERM; (sleep 0.1 &); while :; do sleep 0.1; done",
                       host={"Init": True})  # fmt: skip
    eventually(lambda: b" sampan-init" in api.exec(made, "ps", "-o", "pid,args")[1])
    eventually(lambda: b"Z" not in api.exec(made, "ps", "-o", "stat")[1])
    api("POST", f"/containers/{made}/kill", signal="TERM")
    assert api.wait(made) == 7


def test_every_capability_is_one_over_its_own_namespaces_only(api: Api) -> None:
    """Tries what root of the host may do, with all capabilities and no filter."""
    host = {"CapAdd": ["ALL"], "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"]}
    text = (
        "mount -t tmpfs x /tmp && echo own;"
        "for file in /proc/sysrq-trigger /proc/sys/kernel/panic /proc/sys/vm/drop_caches /proc/self/oom_score_adj; do"
        '  mount -o remount,rw /proc/sys; umount /proc/sysrq-trigger; sh -c "echo -1 >$file" && echo wrote $file;'
        "done 2>/dev/null;"
        "mknod /dev/disk b 254 0 2>/dev/null && cat /dev/disk >/dev/null 2>&1 && echo device;"
        "mount -t devtmpfs x /mnt 2>/dev/null && echo devtmpfs;"
        "dmesg -c >/dev/null 2>&1 && echo kernel log; true"
    )
    assert script(api, text, host=host) == ["own"]


# other runtimes


@pytest.mark.parametrize("program", ["runc", "crun"])
def test_another_runtime_gets_the_same(who: subids.Remapped, program: str) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"no {program}")
    daemon = Sampand("--userns-remap", who.setting, "--add-runtime", f"other={path}")
    os.chmod(daemon.folder, 0o711)  # root of the container has to find its way to the bundle
    try:
        daemon.start()
        import_image(daemon.api, IMAGE)
        host = {"Runtime": "other", "Binds": ["pages:/www"]}
        text = "id -u; cat /proc/self/uid_map; stat -c %u /etc/hosts /www /www/index.html .; ls /sys/class/net"
        text += "; echo x >/etc/hosts; echo end >/dev/stdout; sleep 60"
        made = daemon.api.started(IMAGE, "sh", "-c", text, host=host, WorkingDir="/new/folder")
        eventually(lambda: daemon.api.logs(made).endswith(b"end\n"))
        uid, uid_map, *rest = daemon.api.logs(made).decode().splitlines()
        assert (uid, uid_map.split()) == ("0", ["0", str(who.uid), str(who.uids)])
        assert rest == ["0"] * 4 + ["eth0", "lo", "end"]
        assert ids(f"{daemon.data_root}/volumes/pages/_data/index.html") == (0, 0)
        assert daemon.api.exec(made, "sh", "-c", "id -u >/dev/stdout", User="app") == (0, b"1000\n")
        daemon.api.wait(daemon.api.started(IMAGE, "true", User="app", host={"Runtime": "other"}))
        assert ids("/dev/null") == (0, 0), "the host's own was given away"
    finally:
        daemon.destroy()


# terminals


def test_a_terminal_is_the_containers_own(docker: Frontend) -> None:
    with docker.terminal("run", "--rm", "-it", IMAGE, "sh", rows=33, columns=99) as terminal:
        terminal.wait_text("# ")
        terminal.send("stty size; tty; stat -c owner=%u /dev/console /dev/pts/0; exit 5\n")
        terminal.wait_text(r"^33 99\s+/dev/pts/0\s+owner=0\s+owner=0")
        assert terminal.wait_exit() == 5


# refused, and let out


@pytest.mark.parametrize("text", list(REFUSED))
def test_what_needs_the_hosts_user_namespace_is_refused(api: Api, text: str) -> None:
    with pytest.raises(Refused) as refused:
        api.create(IMAGE, "true", host=REFUSED[text])
    assert (refused.value.status, refused.value.message) == (400, text)


@pytest.mark.parametrize("host", REFUSED.values())
def test_with_the_hosts_user_namespace_everything_is_as_ever(api: Api, host: dict[str, object]) -> None:
    text = "readlink /proc/self/ns/user"
    assert script(api, text, host={**host, "UsernsMode": "host"}) == [os.readlink("/proc/self/ns/user")]


def test_the_hosts_ipc_namespace_cannot_be_mounted(api: Api) -> None:
    made = api.create(IMAGE, "true", host={"IpcMode": "host"})
    with pytest.raises(Refused, match=r"mqueue.*not permitted"):
        api.start(made)
    assert api.inspect(made)["State"]["Status"] == "created"


def test_a_container_from_before_is_refused_too(api: Api, remapped: Sampand) -> None:
    made = api.create(IMAGE, "sh", "-c", "id -u; stat -c %u /kept || touch /kept")
    shared = api.create(IMAGE, "true", host={"NetworkMode": "host", "UsernsMode": "host"})
    flags, remapped.flags = remapped.flags, ()
    remapped.stop()
    remapped.start()
    privileged = api.create(IMAGE, "true", host={"Privileged": True})
    api.start(made)
    assert api.wait(made) == 0
    remapped.stop()
    remapped.flags = flags
    remapped.start()
    with pytest.raises(Refused, match="privileged mode is incompatible"):
        api.start(privileged)
    api.start(shared)
    api.start(made)  # the same files for both: on disk they have the container's ids
    assert api.wait(made) == 0 and api.logs(made).splitlines()[-2:] == [b"0", b"0"]


def test_info_and_inspect_say_so(api: Api) -> None:
    assert "name=userns" in api("GET", "/info")["SecurityOptions"]
    made = api.create(IMAGE, "true", host={"UsernsMode": "host"})
    assert api.inspect(made)["HostConfig"]["UsernsMode"] == "host"


# survival


@pytest.mark.parametrize("victim", ["daemon", "launcher"])
def test_containers_survive(api: Api, remapped: Sampand, victim: str) -> None:
    made = api.started(IMAGE, "sleep", "600")
    pid = api.inspect(made)["State"]["Pid"]
    if victim == "daemon":
        remapped.kill()
        remapped.restart()
    else:
        os.kill(remapped.launcher_pid(), 9)
    assert api.inspect(made)["State"]["Pid"] == pid
    assert api.exec(made, "id", "-u") == (0, b"0\n")
    assert script(api, "id -u") == ["0"]
    api("POST", f"/containers/{made}/restart", t=0)
    assert api.exec(made, "id", "-u") == (0, b"0\n")


@pytest.mark.parametrize("victim", ["shim", "init"])
def test_a_killed_shim_or_init_ends_the_container_and_leaves_nothing(api: Api, remapped: Sampand, victim: str) -> None:
    made = api.started(IMAGE, "sleep", "600")
    with open(f"{remapped.exec_root}/containers/{made}/state.json") as file:
        state = json.load(file)
    assert state["pid"] == api.inspect(made)["State"]["Pid"]
    os.kill(state["shim_pid" if victim == "shim" else "pid"], 9)
    assert api.wait(made) == 137
    eventually(lambda: not os.path.exists(f"/proc/{state['pid']}"))
    api.remove(made)
    remapped.assert_nothing_left()


def test_a_start_that_fails_leaves_nothing(api: Api, remapped: Sampand) -> None:
    made = api.create(IMAGE, "/not/there")
    with pytest.raises(Refused, match="no such file"):
        api.start(made)
    api.remove(made)
    remapped.assert_nothing_left()


# settings


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("no-such-user", 'Error during uid lookup for "no-such-user"'),
        ("a:b:c", 'Invalid user/group specification in --userns-remap: "a:b:c"'),
    ],
)
def test_a_setting_that_leads_to_no_ids_ends_the_daemon(setting: str, text: str) -> None:
    daemon = Sampand("--userns-remap", setting)
    try:
        with pytest.raises(RuntimeError, match=re.escape(text)):
            daemon.start()
    finally:
        daemon.process = None
        daemon.destroy()


def test_root_is_not_remapped_with_itself() -> None:
    daemon = Sampand("--userns-remap", "root")
    try:
        daemon.start()
        assert "name=userns" not in daemon.api("GET", "/info")["SecurityOptions"]
        assert "root cannot be remapped with itself" in daemon.log()
    finally:
        daemon.destroy()
