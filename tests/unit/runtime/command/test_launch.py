import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime import message
from sampan.runtime.command import launch as subject
from sampan.runtime.command import store
from sampan.runtime.command.context import Context
from sampan.runtime.command.launch import Launch, Wishes
from sampan.runtime.command.store import Container
from sampan.runtime.command.supervision import LaunchFailed

Put = Callable[[Callable[[socket.socket, Any], object]], None]
SPEC: dict[str, Any] = {"ociVersion": "1.2.1", "root": {"path": "rootfs"}, "process": {"args": ["true"], "cwd": "/"}}


def launch_of(context: Context, spec: "dict[str, Any] | None" = None, **wishes: Any) -> Launch:
    os.makedirs("rootfs", exist_ok=True)
    config = json.loads(json.dumps(SPEC | (spec or {})))
    return Launch(context, Container.make(context.root, "one", bundle=".", spec=config), Wishes(**wishes))


def is_left(launch: Launch) -> bool:
    """Whether there is a process or a file of it."""
    try:
        os.waitpid(launch.pid, os.WNOHANG)
    except ChildProcessError:
        return os.path.exists(launch.container.directory)
    return True


def obey(sync: socket.socket, take_orders: Any) -> None:
    """Be ready, and run."""
    message.send(sync, {"event": "ready"})
    assert message.receive(sync)


def test_a_process_that_is_ready_is_in_the_state(context: Context, first_process: Put, tmp_path: Any) -> None:
    first_process(obey)
    launch = launch_of(context, pid_file=str(tmp_path / "pid"))
    launch.prepare()
    found = Container.load(context.root, "one")
    assert found.pid == launch.pid and found.is_alive()
    assert (tmp_path / "pid").read_text() == str(launch.pid)
    launch.start()
    assert os.waitid(os.P_PIDFD, launch.pidfd, os.WEXITED)
    launch.leave()


def fail(sync: socket.socket, take_orders: Any) -> None:
    message.send(sync, {"event": "error", "message": "mount /proc: no", "exit_code": 126})


def test_what_it_says_is_the_failure_and_nothing_is_left(context: Context, first_process: Put) -> None:
    first_process(fail)
    launch = launch_of(context)
    with pytest.raises(LaunchFailed, match="mount /proc: no") as found:
        launch.prepare()
    assert found.value.exit_code == 126
    assert not is_left(launch)


def test_a_process_that_dies_silently_is_noticed(context: Context, first_process: Put) -> None:
    first_process(lambda sync, take_orders: os.kill(os.getpid(), signal.SIGKILL))
    launch = launch_of(context)
    with pytest.raises(LaunchFailed, match="died while it was being set up"):
        launch.prepare()
    assert not is_left(launch)


def test_a_pid_file_that_cannot_be_undoes_it_all(context: Context, first_process: Put, tmp_path: Any) -> None:
    first_process(obey)
    launch = launch_of(context, pid_file=str(tmp_path / "no" / "pid"))
    with pytest.raises(FileNotFoundError):
        launch.prepare()
    assert not is_left(launch)


def create(sync: socket.socket, take_orders: Any) -> None:
    """Have the mounts in place, hear of the hooks, be ready, and stay."""
    message.send(sync, {"event": "created"})
    found = message.receive(sync)
    assert found is not None and found[0]["event"] == "hooked"
    state: Any = found[0]["state"]
    assert (state["status"], state["pid"]) == ("creating", os.getpid())
    message.send(sync, {"event": "ready"})
    signal.pause()


def shell(script: str) -> dict[str, Any]:
    return {"path": "/bin/sh", "args": ["sh", "-c", script]}


def test_hooks_run_in_between_in_their_order_and_know_the_process(context: Context, first_process: Put) -> None:
    first_process(create)
    kinds = ("createRuntime", "prestart")
    launch = launch_of(context, {"hooks": {kind: [shell(f"cat > {kind}; echo {kind} >> order")] for kind in kinds}})
    launch.prepare()
    launch.leave()
    with open("order") as file:
        assert file.read().split() == ["prestart", "createRuntime"]
    with open("prestart") as file:
        state = json.load(file)
    assert (state["status"], state["pid"], state["id"]) == ("created", launch.pid, "one")


def test_a_hook_that_fails_undoes_it_all_and_the_container_is_seen_off(context: Context, first_process: Put) -> None:
    first_process(create)
    hooks = {"createRuntime": [shell("exit 3")], "poststop": [shell("cat > seen")]}
    launch = launch_of(context, {"hooks": hooks})
    with pytest.raises(LaunchFailed, match="createRuntime"):
        launch.prepare()
    assert not is_left(launch)
    with open("seen") as file:
        assert json.load(file)["status"] == "stopped"


def test_what_has_not_begun_needs_no_end(context: Context, first_process: Put) -> None:
    first_process(fail)
    launch = launch_of(context, {"hooks": {"poststop": [shell("echo > seen")]}})
    with pytest.raises(LaunchFailed):
        launch.prepare()
    assert not os.path.exists("seen")


def send_terminal(sync: socket.socket, take_orders: Any) -> None:
    read, write = os.pipe()
    os.write(write, b"from the container")
    message.send(sync, {"event": "terminal"}, [read])
    obey(sync, take_orders)


def test_the_terminal_is_kept_where_nobody_else_takes_it(context: Context, first_process: Put) -> None:
    first_process(send_terminal)
    launch = launch_of(context)
    launch.prepare()
    assert os.read(launch.terminal_fd, 100) == b"from the container"
    os.close(launch.terminal_fd)
    launch.leave()


def test_the_terminal_goes_to_the_console_socket(context: Context, first_process: Put, tmp_path: Any) -> None:
    first_process(send_terminal)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen()
        launch = launch_of(context, console_socket=str(tmp_path / "console"))
        launch.prepare()
        connection, _ = listener.accept()
    with connection:
        _, [fd], _, _ = socket.recv_fds(connection, 100, 2)
    assert os.read(fd, 100) == b"from the container"
    os.close(fd)
    launch.leave()
    assert launch.terminal_fd < 0


def test_a_console_socket_that_nobody_has_undoes_it_all(context: Context, first_process: Put) -> None:
    first_process(send_terminal)
    launch = launch_of(context, console_socket="/nowhere/console")
    with pytest.raises(LaunchFailed, match="dial unix /nowhere/console: connect: no such file"):
        launch.prepare()
    assert not is_left(launch)


def be_reborn(sync: socket.socket, take_orders: Any) -> None:
    with open("predecessor", "w") as file:
        file.write(str(os.getpid()))
    pid, pidfd = syscalls.clone3(c.CLONE_PARENT, exit_signal=0)
    if pid:
        message.send(sync, {"event": "born", "pid": pid}, [pidfd])
    else:
        obey(sync, take_orders)


def test_a_successor_takes_the_place_of_its_predecessor(context: Context, first_process: Put) -> None:
    first_process(be_reborn)
    launch = launch_of(context)
    launch.prepare()
    with open("predecessor") as file:
        predecessor = int(file.read())
    assert predecessor != launch.pid and not os.path.exists(f"/proc/{predecessor}")  # it has been waited for
    assert Container.load(context.root, "one").pid == launch.pid
    launch.start()
    assert os.waitid(os.P_PIDFD, launch.pidfd, os.WEXITED)
    launch.leave()


def check_orders(expected: "Callable[[Any], object]") -> Callable[[socket.socket, Any], None]:
    """Look at the stage that a first process builds of its orders."""

    def script(sync: socket.socket, take_orders: Any) -> None:
        stage = take_orders()
        assert expected(stage.orders), {name: getattr(stage.orders, name) for name in stage.orders.__slots__}
        obey(sync, take_orders)

    return script


def test_the_wishes_reach_the_first_process(context: Context, first_process: Put) -> None:
    first_process(
        check_orders(
            lambda orders: (
                (orders.no_pivot, orders.no_new_keyring, orders.preserved_fds, orders.gate) == (1, 1, [3, 4], None)
            )
        )
    )
    launch = launch_of(context, no_pivot=True, no_new_keyring=True, preserved_fds=[3, 4])
    launch.prepare()
    launch.leave()


def test_sockets_of_an_activation_are_told_to_the_program(
    context: Context, first_process: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_process(check_orders(lambda orders: orders.preserved_fds == [3]))
    monkeypatch.setenv("LISTEN_FDS", "2")
    launch = launch_of(context, preserved_fds=[3])
    launch.prepare()
    launch.leave()
    assert launch.spec["process"]["env"] == ["LISTEN_FDS=2", "LISTEN_PID=1"]


def test_a_caller_with_a_notify_socket_gets_one_for_the_container(
    context: Context, first_process: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_process(check_orders(lambda orders: orders.spec["mounts"][-1]["destination"] == "/run/sd/notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/sd/notify")
    launch = launch_of(context)
    launch.prepare()
    launch.leave()
    assert launch.spec["process"]["env"] == ["NOTIFY_SOCKET=/run/sd/notify/notify"]


def wait_at_the_gate(sync: socket.socket, take_orders: Any) -> None:
    stage = take_orders()
    message.send(sync, {"event": "ready"})
    sync.close()
    assert stage.wait_for_go()["event"] == "go"


def test_a_created_container_waits_at_its_gate(context: Context, first_process: Put) -> None:
    first_process(wait_at_the_gate)
    launch = launch_of(context, gate=True)
    launch.prepare()
    found = Container.load(context.root, "one")
    assert found.status() == store.CREATED
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as visitor:
        visitor.connect(found.exec_fifo)
        message.send(visitor, {"event": "go"})
        assert message.receive(visitor) is None
    ended = os.waitid(os.P_PIDFD, launch.pidfd, os.WEXITED)
    launch.leave()
    assert ended is not None and ended.si_status == 0


def test_a_frozen_cgroup_is_refused_before_anything_is_made(
    context: Context, first_process: Put, cgroup: Any, tmp_path: Any
) -> None:
    first_process(obey)
    context.cgroup_manager = "cgroupfs"
    cgroup.folders, cgroup.frozen = {"freezer": str(tmp_path)}, True
    launch = launch_of(context, {"linux": {"cgroupsPath": "/a/b"}})
    with pytest.raises(LaunchFailed, match="cgroup /a/b is frozen"):
        launch.prepare()
    assert launch.pid == 0 and not os.path.exists(launch.container.directory)


def test_a_user_who_may_make_no_cgroups_does_without(
    context: Context, first_process: Put, cgroup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cgroup, "create", refuse, raising=False)
    first_process(check_orders(lambda orders: orders.cgroup_manager == "disabled"))
    context.cgroup_manager, context.rootless = "cgroupfs", True
    launch = launch_of(context)
    launch.prepare()
    launch.leave()
    assert Container.load(context.root, "one").cgroup_manager == "disabled"


class Scope:
    """A cgroup that another one makes; keeps what it is told."""

    version = 2
    path = "/sys.slice/one.scope"
    folders: "dict[str, str]" = {}  # noqa: RUF012

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self.told.append((name, *args))


def wait_for_scope(sync: socket.socket, take_orders: Any) -> None:
    # `take_orders` itself would look for cgroups of systemd's.
    found = message.receive(sync)
    assert found is not None and found[0] == {"event": "go on"}
    obey(sync, take_orders)


def test_systemds_scope_has_the_process_before_it_goes_on(
    context: Context, first_process: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = Scope()
    monkeypatch.setattr("sampan.runtime.cgroup.detect.cgroup_for", lambda *args, **kwargs: scope)
    first_process(wait_for_scope)
    context.cgroup_manager = "systemd"
    mapping = [{"containerID": 0, "hostID": 100000, "size": 10}]
    linux = {
        "namespaces": [{"type": "user"}, {"type": "cgroup"}],
        "uidMappings": mapping,
        "gidMappings": [{"containerID": 5, "hostID": 7, "size": 1}, mapping[0] | {"hostID": 200000}],
        "resources": {"pids": {"limit": 5}},
    }
    mounts = [{"destination": "/sys/fs/cgroup", "type": "cgroup"}]
    launch = launch_of(context, {"linux": linux, "mounts": mounts})
    launch.prepare()
    names = [told[0] for told in scope.told]
    assert names[:4] == ["create", "apply", "adopt", "delegate"]
    assert scope.told[1][1]["pids"] == {"limit": 5} and scope.told[2] == ("adopt", launch.pid)
    assert scope.told[3] == ("delegate", 100000, 200000)
    assert Container.load(context.root, "one").cgroup_path == Scope.path
    os.kill(launch.pid, signal.SIGKILL)
    os.waitid(os.P_PIDFD, launch.pidfd, os.WEXITED)
    launch.leave()


def test_who_is_root_of_a_user_namespace_is_read_off_its_mappings() -> None:
    assert subject._root_of(None) == 0
    assert subject._root_of([{"containerID": 5, "hostID": 7, "size": 1}]) == 0
    assert subject._root_of([{"containerID": 5, "hostID": 7}, {"containerID": 0, "hostID": 99}]) == 99
