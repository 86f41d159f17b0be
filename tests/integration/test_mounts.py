"""Mounts of a config in real containers: option words, links, ties to the host's mounts, owners, devices."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support.ociruntime import Json, Lab, mount

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]

COMMAND = f"{os.path.dirname(sys.executable)}/sampan-runtime"
MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]


@pytest.fixture
def lab() -> Iterator[Lab]:
    found = Lab(COMMAND)
    yield found
    subprocess.run(["umount", "-R", "-l", f"{found.folder}/host"], check=False, stderr=subprocess.DEVNULL)
    found.close()


@pytest.fixture
def host(lab: Lab) -> str:
    """A folder of the host with a file, and a tmpfs below it."""
    path = f"{lab.folder}/host"
    os.makedirs(f"{path}/below")
    subprocess.run(["mount", "-t", "tmpfs", "host", path], check=True)
    os.mkdir(f"{path}/below")
    subprocess.run(["mount", "-t", "tmpfs", "below", f"{path}/below"], check=True)
    with open(f"{path}/file", "w") as file:
        file.write("of the host\n")
    return path


def in_user_namespace(lab: Lab) -> None:
    lab.linux["namespaces"].append({"type": "user"})
    lab.linux["uidMappings"] = lab.linux["gidMappings"] = MAPPING
    for folder, _, files in os.walk(lab.rootfs):
        for path in (folder, *(f"{folder}/{name}" for name in files)):
            found = os.lstat(path)
            os.chown(path, found.st_uid + 100000, found.st_gid + 100000, follow_symlinks=False)


def mountinfo(lab: Lab, *targets: str) -> list[tuple[list[str], str]]:
    """(options of the mount, optional fields and options of the file system) of what is on top at each target."""
    lines = [line.split(" ") for line in lab.output("cat", "/proc/self/mountinfo").splitlines()]
    found = {fields[4]: (fields[5].split(","), " ".join(fields[6:])) for fields in lines}
    return [found[target] for target in targets]


def add(lab: Lab, target: str, kind: str, *options: str, source: str = "", **fields: Any) -> None:
    lab.config["mounts"].append({**mount(target, kind, *options, source=source), **fields})


# option words


@pytest.mark.parametrize("is_private", [False, True], ids=["host's users", "own users"])
@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("ro", "ro"),
        ("rro", "ro"),
        ("nosuid", "nosuid"),
        ("nodev", "nodev"),
        ("noexec", "noexec"),
        ("noatime", "noatime"),
        ("nodiratime", "nodiratime"),
        ("nosymfollow", "nosymfollow"),
        ("rnosymfollow", "nosymfollow"),
    ],
)
def test_an_option_is_that_of_a_bind_and_of_a_new_file_system(
    lab: Lab, host: str, word: str, shown: str, is_private: bool
) -> None:
    if is_private:
        in_user_namespace(lab)
    add(lab, "/bound", "bind", "rbind", word, source=host)
    add(lab, "/new", "tmpfs", word)
    bound, below, new = mountinfo(lab, "/bound", "/bound/below", "/new")
    assert shown in bound[0] and shown in new[0]
    assert (shown in below[0]) == (word in ("rro", "rnosymfollow"))


def test_words_of_a_file_system_reach_it(lab: Lab) -> None:
    add(lab, "/new", "tmpfs", "sync", "dirsync", "strictatime", "size=64k", "mode=710")
    ((options, rest),) = mountinfo(lab, "/new")
    assert "relatime" not in options
    for word in ("sync", "dirsync", "size=64k", "mode=710"):
        assert word in rest.rpartition(" ")[2].split(",")


def test_a_bind_keeps_what_its_source_has_and_loses_what_a_word_takes(lab: Lab, host: str) -> None:
    subprocess.run(["mount", "-o", "remount,bind,nosuid,nodev,noexec,ro", host], check=True)
    add(lab, "/kept", "bind", "bind", "nosymfollow", source=host)
    add(lab, "/loosed", "bind", "bind", "rw", "exec", source=host)
    kept, loosed = mountinfo(lab, "/kept", "/loosed")
    assert {"ro", "nosuid", "nodev", "noexec", "nosymfollow"} <= set(kept[0])
    assert {"rw", "nosuid", "nodev"} <= set(loosed[0]) and "noexec" not in loosed[0]


def test_a_remount_changes_what_is_there(lab: Lab, host: str) -> None:
    add(lab, "/bound", "bind", "bind", source=host)
    add(lab, "/bound", "none", "bind", "remount", "ro", "nosuid")
    add(lab, "/new", "tmpfs", "size=64k")
    add(lab, "/new", "tmpfs", "remount", "size=128k")
    bound, new = mountinfo(lab, "/bound", "/new")
    assert {"ro", "nosuid"} <= set(bound[0])
    assert "size=128k" in new[1]


def test_a_tmpfs_takes_the_mode_of_what_it_covers_if_it_is_not_told_one(lab: Lab) -> None:
    os.chmod(f"{lab.rootfs}/var", 0o712)
    add(lab, "/var", "tmpfs", "ro")
    add(lab, "/home", "tmpfs", "mode=700")
    add(lab, "/fresh", "tmpfs")
    assert lab.output("stat", "-c", "%a", "/var", "/home", "/fresh").split() == ["712", "700", "1777"]


# what is bound where


def test_files_of_every_kind_can_be_bound(lab: Lab, host: str) -> None:
    os.mkfifo(f"{host}/fifo")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(f"{host}/socket")
    for name in ("file", "fifo", "socket"):
        add(lab, f"/srv/{name}", "bind", "bind", "ro", source=f"{host}/{name}")
    add(lab, "/srv/null", "bind", "bind", source="/dev/null")
    add(lab, "/etc/none/../deep//er/", "bind", "bind", source=host)
    out = lab.output("stat", "-c", "%F", "/srv/file", "/srv/fifo", "/srv/socket", "/srv/null", "/etc/deep/er")
    sock.close()
    assert out.splitlines() == ["regular file", "fifo", "socket", "character special file", "directory"]


def test_a_relative_source_is_in_the_bundle(lab: Lab) -> None:
    os.mkdir(f"{lab.bundle}/mine")
    add(lab, "/srv", "bind", "bind", source="mine")
    (found,) = [line for line in lab.output("cat", "/proc/self/mountinfo").splitlines() if " /srv " in line]
    assert found.split(" ")[3].endswith("/bundle/mine")


def test_the_layers_of_an_overlay_may_be_relative_too(lab: Lab) -> None:
    for name in ("lower", "upper", "work"):
        os.mkdir(f"{lab.bundle}/{name}")
    with open(f"{lab.bundle}/lower/file", "w") as file:
        file.write("low")
    add(lab, "/srv", "overlay", "lowerdir=lower", "upperdir=upper", "workdir=work")
    assert lab.output("sh", "-c", "cat /srv/file; echo up >/srv/new") == "low"
    assert os.listdir(f"{lab.bundle}/upper") == ["new"]


def test_links_in_targets_are_followed_in_the_root(lab: Lab, host: str) -> None:
    os.symlink("../usr/share/zone", f"{lab.rootfs}/etc/localtime")
    os.symlink(host, f"{lab.rootfs}/etc/folder")
    add(lab, "/etc/localtime", "bind", "bind", source=f"{host}/file")
    add(lab, "/etc/folder/x", "bind", "bind", source=host)
    assert lab.output("cat", "/usr/share/zone", f"{host}/x/file").split("\n") == ["of the host"] * 2
    assert sorted(os.listdir(host)) == ["below", "file"]


def test_mounts_can_lie_on_earlier_ones(lab: Lab, host: str) -> None:
    add(lab, "/srv", "tmpfs", "ro")
    add(lab, "/srv/a/b", "bind", "bind", source=host)
    out = lab.output("sh", "-c", "ls /srv/a/b; touch /srv/x 2>/dev/null || echo read-only")
    assert out.split() == ["below", "file", "read-only"]


@pytest.mark.parametrize("is_private", [False, True], ids=["host's users", "own users"])
def test_a_source_in_the_root_is_what_earlier_mounts_made_of_it(lab: Lab, host: str, is_private: bool) -> None:
    if is_private:
        in_user_namespace(lab)
    add(lab, "/srv/a", "bind", "rbind", source=host)
    add(lab, f"{lab.rootfs}/srv/b", "bind", "rbind", "ro", source=f"{lab.rootfs}/srv/a")
    add(lab, "/srv/c", "bind", "bind", source="rootfs/srv/b/file")
    assert lab.output("sh", "-c", "cat /srv/b/file /srv/c; stat -f -c %T /srv/b/below").split("\n") == [
        "of the host",
        "of the host",
        "tmpfs",
    ]


def test_a_mount_on_the_root_takes_its_place(lab: Lab) -> None:
    other = f"{lab.bundle}/other"
    os.mkdir(other)
    subprocess.run(["cp", "-a", f"{lab.rootfs}/.", other], check=True)
    with open(f"{other}/which", "w") as file:
        file.write("the other")
    lab.config["mounts"].insert(0, mount("/", "bind", "bind", source=other))
    lab.config["root"]["readonly"] = True
    assert lab.output("sh", "-c", "cat /which; touch /x 2>/dev/null || echo : read-only") == "the other: read-only"
    assert "on `/` is not supported" in _refusal(lab, mount("/", "tmpfs", "tmpcopyup"))


@pytest.mark.parametrize("is_private", [False, True], ids=["host's users", "own users"])
def test_links_themselves_are_bound_and_mounted_over_when_asked(lab: Lab, host: str, is_private: bool) -> None:
    if is_private:
        in_user_namespace(lab)
    os.symlink("file", f"{host}/link")
    for name in ("one", "two"):
        os.symlink("to/nowhere", f"{lab.rootfs}/{name}")
    add(lab, "/one", "bind", "bind", "dest-nofollow", "src-nofollow", source=f"{host}/link")
    add(lab, "/two", "bind", "bind", "dest-nofollow", source=f"{host}/link")
    add(lab, "/three/four", "bind", "bind", "copy-symlink", source=f"{host}/link")
    out = lab.output("sh", "-c", "readlink /one; cat /two; readlink /three/four")
    assert out.splitlines() == ["file", "of the host", "file"]


def _refusal(lab: Lab, *mounts: Json) -> str:
    lab.config["mounts"] += mounts
    lab.write("true")
    return lab.refusal("run", "--bundle", lab.bundle, lab.id)


@pytest.mark.parametrize(
    ("target", "kind", "text"),
    [
        ("/proc/self/attr", "bind", "inside /proc"),
        ("/proc/../proc/sys", "tmpfs", "inside /proc"),
        ("/proc", "bind", "not of type proc"),
        ("/link", "bind", "inside /proc"),
    ],
)
def test_proc_is_no_place_for_mounts(lab: Lab, host: str, target: str, kind: str, text: str) -> None:
    os.symlink("/proc/sys/kernel", f"{lab.rootfs}/link")
    assert text in _refusal(lab, mount(target, kind, *["bind"] * (kind == "bind"), source=host))


def test_what_lxcfs_provides_may_be_bound_and_a_procfs_may_be_proc(lab: Lab, host: str) -> None:
    lab.config["mounts"][0] = mount("/proc", "bind", "rbind", source="/proc")
    add(lab, "/proc/uptime", "bind", "bind", source=f"{host}/file")
    assert lab.output("cat", "/proc/uptime") == "of the host"


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_procfs_and_sysfs_are_not_mounted_through_links(lab: Lab, kind: str) -> None:
    os.symlink("/usr", f"{lab.rootfs}/place")
    assert f"{kind} must be mounted on ordinary directory" in _refusal(lab, mount("/place", kind))


# content


def test_a_tmpfs_begins_with_a_copy_when_asked(lab: Lab) -> None:
    os.chmod(f"{lab.rootfs}/www", 0o751)
    os.chown(f"{lab.rootfs}/www/index.html", 7, 8)
    add(lab, "/www", "tmpfs", "tmpcopyup", "ro")
    add(lab, "/home", "tmpfs", "tmpcopyup", "mode=700")
    add(lab, "/new", "tmpfs", "tmpcopyup")
    out = lab.output("sh", "-c", "stat -c %a:%u:%g /www /www/index.html /home; ls /home; stat -f -c %T /www /new")
    assert out.split() == ["751:0:0", "644:7:8", "700:0:0", "app", "tmpfs", "tmpfs"]


# ties to the host's mounts


@pytest.mark.parametrize(("word", "tie"), [("rshared", "shared:"), ("rslave", "master:"), ("rprivate", "")])
@pytest.mark.parametrize("root", ["", "rprivate", "rslave"])
def test_a_bind_is_tied_to_its_source_as_asked(lab: Lab, host: str, word: str, tie: str, root: str) -> None:
    subprocess.run(["mount", "--make-rshared", host], check=True)
    if root:
        lab.linux["rootfsPropagation"] = root
    add(lab, "/bound", "bind", "rbind", word, source=host)
    lab.detach()
    subprocess.run(["mount", "-t", "tmpfs", "late", f"{host}/below"], check=True)
    open(f"{host}/below/late", "w").close()
    (fields,) = [line for line in lab.exec("cat", "/proc/self/mountinfo").splitlines() if " /bound " in line]
    peers = [field for field in fields.split(" ")[6:] if field.startswith(("shared:", "master:"))]
    assert [peer.partition(":")[0] + ":" for peer in peers] == ([tie] if tie else [])
    if word == "rshared":
        assert f" {host} " in _hosts(peers[0])
    assert lab.exec("ls", "/bound/below") == ("late" if tie else "")


def _hosts(peer: str) -> str:
    """The lines of our own mountinfo that belong to a peer group."""
    with open("/proc/self/mountinfo") as file:
        return "".join(line for line in file if f" {peer} " in line)


def test_what_a_user_namespace_mounts_in_a_shared_bind_stays_inside(lab: Lab, host: str) -> None:
    subprocess.run(["mount", "--make-rshared", host], check=True)
    in_user_namespace(lab)
    add(lab, "/bound", "bind", "rbind", "rshared", source=host)
    ((_, rest),) = mountinfo(lab, "/bound")
    assert "shared:" in rest and "master:" in rest


@pytest.mark.parametrize("word", ["shared", "rshared", "slave", "rslave", "private", "unbindable"])
def test_the_root_is_tied_as_asked_and_the_hosts_mounts_survive_its_end(lab: Lab, host: str, word: str) -> None:
    subprocess.run(["mount", "--make-rshared", host], check=True)
    lab.linux["rootfsPropagation"] = word
    before = _own_mounts()
    ((_, rest),) = mountinfo(lab, "/")
    expected = {"shared": "shared:", "unbindable": "unbindable"}.get(word.removeprefix("r"), "")
    assert (expected in rest) if expected else not {"shared", "unbindable"} & set(rest.replace(":", " ").split())
    assert _own_mounts() == before


def _own_mounts() -> list[str]:
    with open("/proc/self/mountinfo") as file:
        return sorted(line.split(" ")[4] for line in file)


def test_a_slave_root_shows_what_the_host_mounts_in_it(lab: Lab) -> None:
    subprocess.run(["mount", "--bind", lab.rootfs, lab.rootfs], check=True)
    subprocess.run(["mount", "--make-shared", lab.rootfs], check=True)
    try:
        lab.linux["rootfsPropagation"] = "rslave"
        lab.detach()
        subprocess.run(["mount", "-t", "tmpfs", "late", f"{lab.rootfs}/home"], check=True)
        assert lab.exec("stat", "-f", "-c", "%T", "/home") == "tmpfs"
    finally:
        subprocess.run(["umount", "-R", "-l", lab.rootfs], check=True)


# owners


@pytest.mark.parametrize("is_private", [False, True], ids=["host's users", "own users"])
def test_an_idmapped_bind_shows_other_owners_than_the_files_have(lab: Lab, host: str, is_private: bool) -> None:
    if is_private:
        in_user_namespace(lab)
    os.chown(f"{host}/file", 1, 2)
    first = 100000 if is_private else 1000
    maps = [{"containerID": 0, "hostID": first, "size": 10}]
    add(lab, "/fields", "bind", "bind", source=host, uidMappings=maps, gidMappings=maps)
    add(lab, "/words", "bind", "bind", f"idmap=uids=0-{first}-10;gids=2-{first + 5}-1", source=host)
    shown = 0 if is_private else 1000
    out = lab.output("stat", "-c", "%u:%g", "/fields/file", "/words/file").split()
    assert out == [f"{shown + 1}:{shown + 2}", f"{shown + 1}:{shown + 5}"]


def test_only_the_recursive_word_maps_the_mounts_below(lab: Lab, host: str) -> None:
    open(f"{host}/below/file", "w").close()
    for name in ("idmap", "ridmap"):
        add(lab, f"/{name}", "bind", "rbind", f"{name}=uids=0-7-1;gids=0-8-1", source=host)
    out = lab.output("stat", "-c", "%u", "/idmap/file", "/idmap/below/file", "/ridmap/file", "/ridmap/below/file")
    assert out.split() == ["7", "0", "7", "7"]


def test_the_bare_word_takes_the_containers_own_mappings(lab: Lab, host: str) -> None:
    in_user_namespace(lab)
    add(lab, "/mapped", "bind", "bind", "idmap", source=host)
    add(lab, "/plain", "bind", "bind", source=host)
    assert lab.output("stat", "-c", "%u", "/mapped/file", "/plain/file").split() == ["0", "65534"]
    assert lab.output("sh", "-c", "echo x >/mapped/new") == ""
    assert os.stat(f"{host}/new").st_uid == 0


def test_a_file_system_that_cannot_be_mapped_is_named(lab: Lab) -> None:
    assert "cannot be idmapped" in _refusal(
        lab, mount("/x", "bind", "bind", "idmap=uids=0-1-1;gids=0-1-1", source="/proc")
    )


# devices


@pytest.mark.parametrize("is_private", [False, True], ids=["host's users", "own users"])
def test_devices_have_the_mode_and_owner_of_the_config(lab: Lab, is_private: bool) -> None:
    if is_private:
        in_user_namespace(lab)
    owner = {"uid": 3, "gid": 4}
    lab.linux["devices"] = [
        {"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, **owner},
        {"path": "/srv/sub/block/", "type": "b", "major": 7, "minor": 200},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o600, **owner},
        {"path": "/dev/null", "type": "u", "major": 1, "minor": 3, "fileMode": 0o600},
    ]
    out = lab.output("stat", "-c", "%F %a %u:%g %t:%T", "/dev/mine", "/srv/sub/block", "/dev/pipe", "/dev/null")
    assert out.splitlines() == [
        "character special file 640 3:4 1:3",
        "block special file 666 0:0 7:c8",
        "fifo 600 3:4 0:0",
        "character special file 600 0:0 1:3",
    ]


@pytest.mark.parametrize("is_private", [False, True], ids=["host's users", "own users"])
def test_the_usual_devices_and_links_are_there_without_a_mount_for_dev(lab: Lab, is_private: bool) -> None:
    if is_private:
        in_user_namespace(lab)
    lab.config["mounts"] = [mount("/proc", "proc")]
    for _ in range(2):  # what the first has left in the root does not disturb the second
        out = lab.output(
            "sh", "-c", "echo x >/dev/null; head -c 2 /dev/zero | wc -c; readlink /dev/ptmx; readlink /dev/fd"
        )
        assert out.split() == ["2", "pts/ptmx", "/proc/self/fd"]


def test_the_hosts_dev_is_left_alone(lab: Lab) -> None:
    before = sorted(os.listdir("/dev"))
    lab.config["mounts"][1:] = [mount("/dev", "bind", "rbind", source="/dev")]
    lab.linux["devices"] = [{"path": "/dev/smpm-not-made", "type": "c", "major": 1, "minor": 3}]
    assert sorted(lab.output("ls", "/dev").split()) == before
    assert sorted(os.listdir("/dev")) == before


def test_another_device_in_the_place_is_an_error(lab: Lab) -> None:
    os.mknod(f"{lab.rootfs}/dev/mine", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    lab.linux["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3}]
    lab.config["mounts"] = [mount("/proc", "proc")]
    assert "something else than this device" in _refusal(lab)


# file systems of the kernel


@pytest.mark.parametrize("is_private", [False, True], ids=["host's users", "own users"])
@pytest.mark.parametrize("has_namespace", [False, True], ids=["host's cgroups", "own cgroups"])
def test_cgroups_are_mounted_and_read_only_when_asked(lab: Lab, has_namespace: bool, is_private: bool) -> None:
    if is_private:
        in_user_namespace(lab)
    if has_namespace:
        lab.linux["namespaces"].append({"type": "cgroup"})
    add(lab, "/sys", "sysfs", "nosuid", "noexec", "nodev", "ro")
    add(lab, "/sys/fs/cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro")
    options, _ = mountinfo(lab, "/sys/fs/cgroup")[0]
    assert {"ro", "nosuid", "noexec", "nodev"} <= set(options)
    script = "cd /sys/fs/cgroup; cat cgroup.procs pids/cgroup.procs 2>/dev/null | head -1; mkdir x pids/x 2>/dev/null"
    assert lab.run("sh", "-c", script, check=False).stdout.strip() in ("1", "0")


def test_sysfs_without_a_network_namespace_is_the_hosts_read_only(lab: Lab) -> None:
    in_user_namespace(lab)
    lab.linux["namespaces"] = [space for space in lab.linux["namespaces"] if space["type"] != "network"]
    add(lab, "/sys", "sysfs", "nosuid", "noexec", "nodev", "ro")
    lines = [line.split(" ") for line in lab.output("cat", "/proc/self/mountinfo").splitlines()]
    found = {fields[4]: fields[5].split(",") for fields in lines if fields[4].startswith("/sys")}
    assert {"ro", "nosuid", "noexec", "nodev"} <= set(found["/sys"])
    assert all("ro" in options for options in found.values())


def test_a_group_that_is_not_mapped_is_no_hindrance_to_terminals(lab: Lab) -> None:
    in_user_namespace(lab)
    lab.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 3}]
    lab.config["mounts"][2]["options"].append("gid=5")
    assert lab.output("stat", "-c", "%F", "/dev/pts/ptmx") == "character special file"


# what must not be seen or changed


@pytest.mark.parametrize("is_private", [False, True], ids=["host's users", "own users"])
def test_paths_are_masked_and_read_only_and_mounts_stay_writable(lab: Lab, is_private: bool) -> None:
    if is_private:
        in_user_namespace(lab)
    lab.config["root"]["readonly"] = True
    lab.linux["maskedPaths"] = ["/www", "/etc/passwd", "/proc/timer_list", "/missing", "/www", "/etc/group"]
    lab.linux["readonlyPaths"] = ["/proc/sys", "/data/sub", "/missing"]
    add(lab, "/data", "tmpfs", "noexec")
    add(lab, "/data/sub", "tmpfs", "nosuid", "nodev")
    script = (
        "ls /www | wc -l; cat /etc/passwd /etc/group | wc -c; touch /data/x /data/sub/x /x 2>&1 | grep -c Read-only;"
        "touch /www/x 2>&1 | grep -c Read-only; grep ' /data/sub ' /proc/self/mountinfo | tail -1 | cut -d' ' -f6"
    )
    *counts, options = lab.output("sh", "-c", script).split()
    assert counts == ["0", "0", "2", "1"]
    assert {"ro", "nosuid", "nodev"} <= set(options.split(","))


def test_without_a_mount_namespace_the_host_is_as_before(lab: Lab) -> None:
    lab.linux["namespaces"] = [{"type": "pid"}]
    add(lab, "/srv", "tmpfs")
    lab.linux["rootfsPropagation"] = "shared"
    before = _own_mounts()
    assert lab.output("ls", "/www") == "index.html"
    assert _own_mounts() == before
    assert not os.path.exists(f"{lab.rootfs}/srv")
    assert stat.S_ISCHR(os.stat(f"{lab.rootfs}/dev/null").st_mode)


@pytest.mark.parametrize("options", [(), ("--no-pivot",)])
def test_no_whole_procfs_of_the_host_is_left_to_vouch_for_another(lab: Lab, options: tuple[str, ...]) -> None:
    lab.linux["maskedPaths"] = ["/proc/sys"]
    lab.process["capabilities"]["bounding"].append("CAP_SETFCAP")
    lab.process["capabilities"]["permitted"].append("CAP_SETFCAP")
    lab.process["capabilities"]["effective"].append("CAP_SETFCAP")
    script = "ls /www; unshare -Urmpf mount -t proc none /proc 2>&1 || true"
    out = lab.run("sh", "-c", script, options=options).stdout.splitlines()
    assert out == ["index.html", "mount: permission denied (are you root?)"]
