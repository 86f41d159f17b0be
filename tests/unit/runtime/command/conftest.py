import os
import signal
import socket
import subprocess
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampan.runtime import init, join, message
from sampan.runtime.command import guard
from sampan.runtime.command.context import Context
from sampan.runtime.command.log import Log
from sampan.runtime.command.store import Container, list_all

Make = Callable[..., Container]
Script = Callable[[socket.socket, Any], object]


@pytest.fixture
def context(tmp_path: Any) -> Context:
    return Context(str(tmp_path / "root"), Log(str(tmp_path / "log"), "json"), cgroup_manager="disabled")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a container's first one."""
    with subprocess.Popen(["sleep", "1000"]) as child:
        yield child
        child.kill()


@pytest.fixture
def make(context: Context, tmp_path: Any) -> Make:
    """Makes containers without cgroup; with `process`, that is the first one."""

    def make_one(
        id: str,
        *,
        process: "subprocess.Popen[bytes] | None" = None,
        spec: "dict[str, Any] | None" = None,
        cgroup_manager: str = "disabled",
    ) -> Container:
        spec = {"ociVersion": "1.2.1", "root": {"path": "rootfs"}} | (spec or {})
        container = Container.make(context.root, id, bundle=str(tmp_path), spec=spec)
        container.cgroup_manager = cgroup_manager
        container.maker_pid = 0
        if process:
            container.set_process(process.pid)
        container.save()
        return container

    return make_one


class FakeCgroup:
    """One that keeps what it is told."""

    version = 0
    folders: "dict[str, str]" = {}  # noqa: RUF012

    def __init__(self) -> None:
        self.frozen = False
        self.updates: list[dict[str, Any]] = []
        self.signals: list[int] = []
        self.kills = 0
        self.removed = False
        self.inside: set[int] = set()

    def freeze(self, *, frozen: bool) -> None:
        self.frozen = frozen

    def is_frozen(self) -> bool:
        return self.frozen

    def update(self, resources: "dict[str, Any]") -> None:
        self.updates.append(resources)

    def kill(self, signal: int = 9, *, patience_s: float = 5.0) -> bool:
        self.signals.append(signal)
        return True

    def pids(self) -> "set[int]":
        return self.inside

    def oom_kills(self) -> int:
        return self.kills

    def statistics(self) -> "dict[str, Any]":
        return {"pids": {"current": len(self.inside)}}

    def remove(self, *, patience_s: float = 0.0) -> None:
        self.removed = True


@pytest.fixture
def cgroup(monkeypatch: pytest.MonkeyPatch) -> FakeCgroup:
    """What containers with a cgroup manager have."""
    fake = FakeCgroup()
    monkeypatch.setattr("sampan.runtime.cgroup.detect.cgroup_for", lambda *args, **kwargs: fake)
    return fake


@pytest.fixture
def bundle(tmp_path: Any) -> str:
    """A folder with an empty root."""
    os.mkdir(tmp_path / "rootfs")
    return str(tmp_path)


def play(script: Script, sync: socket.socket, orders: Any) -> None:
    """Be a container's process, as the script has it: it ends with that, and never comes back into pytest."""
    code = 1
    try:
        signal.alarm(20)
        script(sync, orders)
        code = 0
    except BaseException as error:
        traceback.print_exc()
        message.send(sync, {"event": "error", "message": f"the script of the test: {error!r}", "exit_code": 70})
    finally:
        os._exit(code)


@pytest.fixture
def first_process(
    context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> Iterator[Callable[[Script], None]]:
    """Puts a script in place of what a first process (or a further one) does; afterwards there is none left.

    It gets its end of the conversation, and what `init.go_on` (or `join.run`) gets besides.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(guard, "enter", lambda: None)
    for name in ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"):
        monkeypatch.delenv(name, raising=False)

    def put(script: Script) -> None:
        monkeypatch.setattr(init, "go_on", lambda sync, take_orders: play(script, sync, take_orders))
        monkeypatch.setattr(join, "run", lambda stage: play(script, stage.sync, stage))

    yield put
    for container in list_all(context.root):
        if container.pid:
            try:
                os.kill(container.pid, signal.SIGKILL)
                os.waitpid(container.pid, 0)
            except (ChildProcessError, ProcessLookupError):
                continue
