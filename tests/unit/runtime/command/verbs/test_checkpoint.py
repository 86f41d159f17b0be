import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.options import Options, parse
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs import checkpoint

Make = Callable[..., Container]
Sleeper = subprocess.Popen[bytes]


def given(words: str) -> Options:
    return parse(checkpoint.COMMAND.flags, words.split(), in_order=False)


def words_of(container: Container, words: str, images: str = "/") -> str:
    return " ".join(checkpoint.dump_words(container, given(words), images))


@pytest.fixture
def container(make: Make, sleeper: Sleeper, bundle: str, cgroup: Any) -> Container:
    cgroup.version, cgroup.folders = 2, {"": "/c/one"}
    spaces = [
        {"type": "network", "path": "/proc/self/ns/net"},
        {"type": "pid"},
        {"type": "ipc", "path": "/proc/self/ns/ipc"},
    ]
    spec = {
        "mounts": [{"destination": "/d", "type": "bind", "source": "/tmp"}],
        "linux": {"namespaces": spaces, "maskedPaths": ["/etc/passwd", "/tmp", "/nowhere/at/all"]},
    }
    return make("one", process=sleeper, spec=spec, cgroup_manager="cgroupfs")


def test_a_dump_names_the_process_and_all_that_is_outside(container: Container, bundle: str) -> None:
    words = words_of(container, "")
    assert words.startswith(f"dump --tree {container.pid} --log-file dump.log --root {bundle}/rootfs -v4 ")
    assert "--freeze-cgroup /c/one" in words
    assert f"--external net[{os.stat('/proc/self/ns/net').st_ino}]:extRootNetNS" in words
    assert "--external mnt[/d]:/d" in words
    assert "--external mnt[/etc/passwd]:/dev/null" in words
    assert "/nowhere" not in words and "mnt[/tmp]" not in words and "ipc[" not in words


def test_a_pre_dump_is_about_memory_only(container: Container) -> None:
    words = words_of(container, "--pre-dump --leave-running")
    assert words.startswith("pre-dump ") and "--track-mem" in words
    assert "mnt[" not in words and "--leave-running" not in words


def test_further_options_are_criusown(container: Container, tmp_path: Any) -> None:
    os.mkdir(tmp_path / "before")
    words = words_of(
        container,
        "--leave-running --parent-path before --page-server [::1]:27 --link-remap --tcp-skip-in-flight --status-fd 1",
        str(tmp_path),
    )
    for expected in (
        "--leave-running",
        "--prev-images-dir before --track-mem",
        "--page-server --address ::1 --port 27",
        "--link-remap --skip-in-flight",
        "--status-fd 1",
    ):
        assert expected in words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--parent-path /x", "must be relative"),
        ("--parent-path nowhere", "invalid --parent-path"),
        ("--page-server host", "Use --page-server ADDRESS:PORT"),
        ("--page-server host:port", "Invalid port number"),
        ("--status-fd 999", "it is not open"),
    ],
)
def test_options_that_make_no_sense_are_refused(container: Container, words: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        words_of(container, words)


def test_a_descriptor_for_the_status_is_written_to(container: Container) -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(InvalidArgument, match="not writable"):
        words_of(container, f"--status-fd {fd}")
    os.close(fd)


def criu(tmp_path: Any, script: str) -> str:
    """A CRIU that says what it was asked, and does as told."""
    path = tmp_path / "criu"
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/asked\n{script}\n')
    path.chmod(0o755)
    return str(path)


def run(context: Context, tmp_path: Any, script: str, *words: str) -> int:
    images = f"{tmp_path}/images"
    program = ["--root", context.root, "--criu", criu(tmp_path, script)]
    return main.main([*program, "checkpoint", "--image-path", images, *words, "one"])


def test_a_checkpoint_ends_the_container(context: Context, container: Container, tmp_path: Any, cgroup: Any) -> None:
    assert run(context, tmp_path, f"kill {container.pid}") == 0
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0] == "dump" and f"{tmp_path}/images" in asked
    assert not os.path.exists(container.directory) and cgroup.removed
    names = json.loads((tmp_path / "images" / "descriptors.json").read_text())
    assert names[0] == os.readlink("/proc/self/fd/0") and len(names) == 3


def test_a_container_may_go_on(context: Context, container: Container, tmp_path: Any) -> None:
    assert run(context, tmp_path, "true", "--leave-running") == 0
    assert run(context, tmp_path, "true", "--pre-dump") == 0
    assert container.status() == "running"


def test_a_failure_keeps_the_container_and_tells_why(
    context: Context, container: Container, tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    script = f"echo '(0.1) Error (criu/x.c:1): no luck' > {tmp_path}/images/dump.log; exit 1"
    assert run(context, tmp_path, script) == 1
    assert "criu failed: dump: exit status 1" in (err := capfd.readouterr().err) and "no luck" in err
    assert container.status() == "running"


def test_only_running_containers_are_checkpointed(
    context: Context, make: Make, tmp_path: Any, capfd: pytest.CaptureFixture[str], cgroup: Any
) -> None:
    make("one", cgroup_manager="cgroupfs")
    assert run(context, tmp_path, "true") == 1
    assert "Container cannot be checkpointed in stopped state" in capfd.readouterr().err


def test_without_criu_that_is_said(context: Context, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--root", context.root, "--criu", "/nowhere/criu", "checkpoint", "one"]) == 1
    assert "need CRIU: /nowhere/criu" in capfd.readouterr().err
