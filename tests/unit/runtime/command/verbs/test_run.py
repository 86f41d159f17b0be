import json
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from sampan.runtime import message
from sampan.runtime.command import foreground, main
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container

Put = Callable[[Callable[[socket.socket, Any], object]], None]
Err = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Waits without taking the signals of pytest; what it was asked to wait for."""
    seen = []

    def wait(pid: int, pidfd: int, wakeup: int, master_fd: int = -1, waiting: object = None) -> int:
        seen.append((pid, pidfd, master_fd))
        return foreground.exit_code(pidfd)

    monkeypatch.setattr(foreground, "listen", lambda: -1)
    monkeypatch.setattr(foreground, "wait", wait)
    return seen


def write(bundle: str, **more: Any) -> None:
    process = {"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0}}
    with open(f"{bundle}/config.json", "w") as file:
        json.dump({"ociVersion": "1.2.1", "root": {"path": "rootfs"}, "process": process, "linux": {}} | more, file)


def call(context: Context, *words: str) -> int:
    return main.main(["--root", context.root, "--cgroup-manager=disabled", "run", *words])


def run_to(code: int) -> Callable[[socket.socket, Any], None]:
    def script(sync: socket.socket, take_orders: Any) -> None:
        message.send(sync, {"event": "ready"})
        assert message.receive(sync)
        sync.close()
        os._exit(code)

    return script


def stay(sync: socket.socket, take_orders: Any) -> None:
    message.send(sync, {"event": "ready"})
    assert message.receive(sync)
    sync.close()
    signal.pause()


def test_the_code_is_the_programs_and_the_container_is_gone(context: Context, bundle: str, first_process: Put) -> None:
    first_process(run_to(7))
    write(bundle)
    assert call(context, "one") == 7
    assert os.listdir(context.root) == []


def test_it_can_be_kept(context: Context, bundle: str, first_process: Put) -> None:
    first_process(run_to(0))
    write(bundle)
    assert call(context, "--keep", "one") == 0
    assert Container.load(context.root, "one").status() == "stopped"


def test_detached_it_is_left_running(context: Context, bundle: str, first_process: Put, unwatched: list[Any]) -> None:
    first_process(stay)
    write(bundle)
    assert call(context, "--detach", "one") == 0
    assert Container.load(context.root, "one").status() == "running"
    assert unwatched == []


def refuse(sync: socket.socket, take_orders: Any) -> None:
    message.send(sync, {"event": "ready"})
    assert message.receive(sync)
    message.send(sync, {"event": "error", "message": "exec /bin/x: exec format error", "exit_code": 126})


def test_a_program_that_cannot_be_executed_leaves_nothing(
    context: Context, bundle: str, first_process: Put, capfd: Err
) -> None:
    first_process(refuse)
    write(bundle)
    assert call(context, "one") == 1
    assert "exec /bin/x: exec format error" in capfd.readouterr().err
    assert os.listdir(context.root) == []


def shell(script: str) -> dict[str, Any]:
    return {"path": "/bin/sh", "args": ["sh", "-c", script]}


def test_hooks_run_after_the_start_and_after_the_end(context: Context, bundle: str, first_process: Put) -> None:
    first_process(run_to(0))
    write(bundle, hooks={kind: [shell(f"cat > {kind}")] for kind in ("poststart", "poststop")})
    assert call(context, "one") == 0
    found = {}
    for kind in ("poststart", "poststop"):
        with open(f"{bundle}/{kind}") as file:
            found[kind] = json.load(file)["status"]
    assert found == {"poststart": "running", "poststop": "stopped"}


def test_a_poststart_hook_that_fails_ends_the_container(
    context: Context, bundle: str, first_process: Put, unwatched: list[Any], capfd: Err
) -> None:
    first_process(stay)
    write(bundle, hooks={"poststart": [shell("exit 3")], "poststop": [shell("echo > over")]})
    began_s = time.monotonic()
    assert call(context, "one") == 1
    assert time.monotonic() - began_s < 10
    assert "poststart hook #0" in capfd.readouterr().err
    assert os.listdir(context.root) == [] and os.path.exists(f"{bundle}/over")
    assert unwatched == []


def test_a_terminal_is_watched_in_the_foreground(
    context: Context, bundle: str, first_process: Put, unwatched: list[tuple[int, int, int]]
) -> None:
    def script(sync: socket.socket, take_orders: Any) -> None:
        message.send(sync, {"event": "terminal"}, [os.open("/dev/null", os.O_RDWR)])
        run_to(0)(sync, take_orders)

    first_process(script)
    write(bundle, process={"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "terminal": True})
    assert call(context, "one") == 0
    (found,) = unwatched
    assert os.readlink(f"/proc/self/fd/{found[2]}") == "/dev/null"
    os.close(found[2])
