import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime import message
from sampan.runtime.command import main, store
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs import create

Put = Callable[[Callable[[socket.socket, Any], object]], None]
Err = pytest.CaptureFixture[str]


def write(bundle: str, name: str = "config.json", **process: Any) -> None:
    process = {"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0}} | process
    spec = {"ociVersion": "1.2.1", "root": {"path": "rootfs"}, "process": process, "linux": {}}
    with open(f"{bundle}/{name}", "w") as file:
        json.dump(spec, file)


def call(context: Context, *words: str) -> int:
    return main.main(["--root", context.root, "--cgroup-manager=disabled", "create", *words])


def be_ready(sync: socket.socket, take_orders: Any) -> None:
    message.send(sync, {"event": "ready"})
    signal.pause()


def test_a_created_container_has_a_process_and_a_pid_file(context: Context, bundle: str, first_process: Put) -> None:
    first_process(be_ready)
    write(bundle)
    os.mkdir("elsewhere")
    os.chdir("elsewhere")
    assert call(context, "--bundle", bundle, "--pid-file", "pid", "one") == 0
    found = Container.load(context.root, "one")
    assert (found.status(), found.bundle, found.rootfs) == (store.CREATED, bundle, f"{bundle}/rootfs")
    with open(f"{bundle}/elsewhere/pid") as file:  # where it was called, not in the bundle
        assert file.read() == str(found.pid)


def test_the_bundle_is_the_working_directory_unless_given(context: Context, bundle: str, first_process: Put) -> None:
    first_process(be_ready)
    write(bundle)
    assert call(context, "one") == 0
    assert Container.load(context.root, "one").bundle == bundle


def test_the_configuration_can_be_another_file(context: Context, bundle: str, first_process: Put) -> None:
    first_process(be_ready)
    write(bundle, "other.json", args=["other"])
    assert call(context, "--config", "other.json", "one") == 0
    assert Container.load(context.root, "one").spec["process"]["args"] == ["other"]


@pytest.mark.parametrize(
    ("words", "process", "text"),
    [
        (["--preserve-fds", "-1"], {}, "negative"),
        (["--console-socket", "/x"], {}, "cannot use console socket"),
        ([], {"terminal": True}, "use --console-socket"),
        ([], {"args": []}, "args"),
        ([], {"scheduler": {"policy": "SCHED_SOMEHOW"}}, "SCHED_SOMEHOW"),
        (["--config", "none.json"], {}, "none.json not found"),
    ],
)
def test_what_is_refused_leaves_nothing(
    words: list[str], process: dict[str, Any], text: str, context: Context, bundle: str, first_process: Put, capfd: Err
) -> None:
    first_process(lambda sync, take_orders: None)
    write(bundle, **process)
    assert call(context, *words, "one") == 1
    assert text in capfd.readouterr().err
    assert not os.path.exists(f"{context.root}/one")


def test_an_id_that_is_taken_stays_as_it_is(context: Context, bundle: str, first_process: Put, capfd: Err) -> None:
    first_process(be_ready)
    write(bundle)
    assert call(context, "one") == 0
    pid = Container.load(context.root, "one").pid
    assert call(context, "one") == 1
    assert "container with given ID already exists: one" in capfd.readouterr().err
    found = Container.load(context.root, "one")
    assert found.pid == pid and found.is_alive()


@pytest.mark.parametrize(
    ("has_terminal", "console_socket", "is_detached", "is_fine"),
    [
        (True, "/socket", True, True),
        (True, "/socket", False, True),
        (True, "", False, True),
        (True, "", True, False),
        (False, "", True, True),
        (False, "/socket", True, False),
        (False, "/socket", False, False),
    ],
)
def test_a_terminal_has_two_ends(has_terminal: bool, console_socket: str, is_detached: bool, is_fine: bool) -> None:
    if is_fine:
        create.check_console(has_terminal, console_socket, is_detached=is_detached)
    else:
        with pytest.raises(InvalidArgument, match="console"):
            create.check_console(has_terminal, console_socket, is_detached=is_detached)
