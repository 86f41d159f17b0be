import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import Conflict
from sampan.runtime.command import destroy
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container

Make = Callable[..., Container]
Sleeper = subprocess.Popen[bytes]
OWN_PIDS = {"linux": {"namespaces": [{"type": "pid"}]}}


def test_only_a_new_pid_namespace_ends_with_its_first_process(make: Make) -> None:
    spaces: list[tuple[str, dict[str, Any]]] = [
        ("own", OWN_PIDS),
        ("joined", {"linux": {"namespaces": [{"type": "pid", "path": "/proc/1/ns/pid"}]}}),
        ("none", {}),
    ]
    assert [destroy.has_own_pids(make(id, spec=spec)) for id, spec in spaces] == [True, False, False]


def test_destroy_leaves_nothing_behind(context: Context, make: Make, cgroup: Any) -> None:
    container = make("one", spec=OWN_PIDS, cgroup_manager="cgroupfs")
    destroy.destroy(context, container)
    assert not os.path.exists(container.directory)
    assert cgroup.removed
    assert cgroup.signals == []


def test_without_a_pid_namespace_the_rest_is_killed(context: Context, make: Make, cgroup: Any) -> None:
    destroy.destroy(context, make("one", cgroup_manager="cgroupfs"))
    assert cgroup.signals == [signal.SIGKILL]


def test_force_kills_the_first_process(context: Context, make: Make, sleeper: Sleeper) -> None:
    container = make("one", process=sleeper)
    destroy.kill_and_destroy(context, container)
    assert sleeper.wait() == -signal.SIGKILL
    assert not os.path.exists(container.directory)


def test_a_process_that_does_not_die_keeps_its_container(
    context: Context, make: Make, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destroy, "PATIENCE_S", 0.0)
    monkeypatch.setattr(destroy, "KILL", 0)
    container = make("one", process=sleeper)
    with pytest.raises(Conflict, match="container init still running"):
        destroy.kill_and_destroy(context, container)
    assert os.path.exists(container.directory)


def test_a_cgroup_that_may_not_be_removed_is_the_affair_of_root(
    context: Context, make: Make, cgroup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*, patience_s: float) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cgroup, "remove", refuse)
    container = make("one", spec=OWN_PIDS, cgroup_manager="cgroupfs")
    with pytest.raises(PermissionError):
        destroy.destroy(context, container)
    assert os.path.exists(container.directory)
    context.rootless = True
    destroy.destroy(context, container)
    assert not os.path.exists(container.directory)


def test_poststop_hooks_run_when_all_is_gone(context: Context, make: Make, tmp_path: Any) -> None:
    script = f"cat > {tmp_path}/seen; ls {context.root} > {tmp_path}/left"
    hooks = [{"path": "/bin/false"}, {"path": "/bin/sh", "args": ["sh", "-c", script]}]
    destroy.destroy(context, make("one", spec={"hooks": {"poststop": hooks}}))
    assert '"status":"stopped"' in (tmp_path / "seen").read_text()
    assert (tmp_path / "left").read_text() == ""
    assert "poststop" in (tmp_path / "log").read_text()
