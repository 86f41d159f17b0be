import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.options import parse
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs import restore

Make = Callable[..., Container]


def test_our_streams_take_the_place_of_pipes() -> None:
    assert restore.inherited(["/dev/null", "pipe:[12]", "pipe:[13]"]) == [
        "--inherit-fd",
        "fd[1]:pipe:[12]",
        "--inherit-fd",
        "fd[2]:pipe:[13]",
    ]


def test_cgroups_are_put_where_criu_is() -> None:
    text = "4:cpu,cpuacct:/x:y\n1:name=systemd:/s\n0::/u\n"
    assert restore.cgroup_roots(text, 1)[1::2] == ["cpu:/x:y", "cpuacct:/x:y", "name=systemd:/s"]
    assert restore.cgroup_roots(text, 2) == ["--cgroup-root", "/u"]
    assert restore.cgroup_roots(text, 0) == []


def test_the_innermost_mount_is_the_parent() -> None:
    points = ["/", "/a", "/a/b", "/ab"]
    assert restore.parent("/a/b/c", points) == "/a/b"
    assert restore.parent("/a", points) == "/"
    assert restore.parent("/abc", ["/ab", "/a"]) == ""


def test_mount_points_are_made_where_they_do_not_come_back_by_themselves(make: Make, bundle: str) -> None:
    os.mkdir(f"{bundle}/volume")
    with open(f"{bundle}/file", "w"):
        mounts = [
            {"destination": "/proc", "type": "proc"},
            {"destination": "/tmp", "type": "tmpfs"},
            {"destination": "/tmp/deep", "type": "tmpfs"},
            {"destination": "/data", "type": "bind", "source": "volume"},
            {"destination": "/data/inner", "type": "tmpfs"},
            {"destination": "/etc/hosts", "options": ["rbind"], "source": "file"},
            {"destination": "/sys/fs/cgroup", "type": "cgroup"},
        ]
        restore.make_mountpoints(make("one", spec={"mounts": mounts}))
    assert sorted(os.listdir(f"{bundle}/rootfs")) == ["data", "etc", "proc", "tmp"]
    assert os.listdir(f"{bundle}/rootfs/tmp") == []
    assert os.listdir(f"{bundle}/volume") == ["inner"]
    assert os.path.isfile(f"{bundle}/rootfs/etc/hosts")


def test_criu_is_told_what_the_outside_is(context: Context, make: Make, bundle: str, tmp_path: Any) -> None:
    (tmp_path / "descriptors.json").write_text('["pipe:[7]", "", ""]')
    spaces = [{"type": "network", "path": "/proc/self/ns/net"}, {"type": "uts", "path": "/proc/self/ns/uts"}]
    spec = {
        "mounts": [{"destination": "/d", "type": "bind", "source": "/tmp"}],
        "linux": {"namespaces": spaces, "maskedPaths": ["/proc/kcore"]},
    }
    options = parse(restore.COMMAND.flags, ["--tcp-close", "--lsm-profile", "apparmor:x"], in_order=False)
    places = ["--images-dir", str(tmp_path)]
    words = " ".join(restore.Restoration(context, make("one", spec=spec), options, places)._words())
    for expected in (
        "restore --restore-detached --restore-sibling",
        f"--root {context.root}/one/criu-root",
        f"--pidfile {context.root}/one/criu.pid",
        "--tcp-close --lsm-profile apparmor:x",
        "--external mnt[/d]:/tmp",
        "--external mnt[/dev/null]:/dev/null",
        "]:extRootNetNS --join-ns uts:/proc/self/ns/uts",
        "--inherit-fd fd[0]:pipe:[7]",
    ):
        assert expected in words


def test_a_directory_without_descriptors_is_no_checkpoint(tmp_path: Any) -> None:
    with pytest.raises(InvalidArgument, match="is no checkpoint of a container"):
        restore._descriptors(str(tmp_path))


def test_what_fails_leaves_nothing_behind(
    context: Context, bundle: str, capfd: pytest.CaptureFixture[str], cgroup: Any
) -> None:
    process = {"args": ["x"], "cwd": "/", "terminal": True}
    with open(f"{bundle}/config.json", "w") as file:
        json.dump({"ociVersion": "1.2.1", "root": {"path": "rootfs"}, "process": process}, file)
    program = ["--root", context.root, "--criu", "/bin/true"]
    assert main.main([*program, "restore", "--image-path", "/nowhere/images", "one"]) == 1
    assert "invalid directory" in capfd.readouterr().err
    assert main.main([*program, "restore", "--image-path", bundle, "-b", bundle, "one"]) == 1
    assert "with a terminal" in capfd.readouterr().err
    assert os.listdir(context.root) == []
