"""A container's first process, from its birth to execve.

It is cloned by its supervisor (the shim, or `sampan-runtime`) into new PID, UTS and IPC namespaces, by the shim often
ahead of need, and talks with it over `sync`:

    supervisor                                        init
      │ clone3 ──────────────────────────────────────▶ │ not dumpable; waits
      │ ── launch {orders} {fds: stdio, namespaces} ─▶ │ makes the shim's directory and the cgroups
      │ ◀────────────── prepared {fd: the listener} ── │ (the shim's; `sampan-runtime` has none)
      │                                                │ mount namespace; the root, and what the host gives
      │ ◀──────────────────────────── born {pidfd} ─── │ (only with a user or a foreign PID namespace)
      │                                                │ the other namespaces; mounts below the new root
      │ ◀───────────────────────────────── created ─── │ (only when there are hooks to run now)
      │ ── hooked ───────────────────────────────────▶ │
      │ ◀──────────── terminal {fd of the master} ──── │ (only with a terminal)
      │                                                │ enters the root
      │ ◀──────────────────────────────────── ready ── │ user, limits, capabilities are in force
      │ ── go ───────────────────────────────────────▶ │ (the network is complete)
      │ ◀────────────────────────────── end of file ── │ execve succeeded: `sync` was close-on-exec
      │ ◀── error {message, exit_code} ─────────────── │ or it failed, at any point above

Division    It does all the work of a launch, for its memory goes with execve; the shim's stays as long as the
container. Ahead       The mount namespace is not made ahead: it has to see what the host has mounted when the container
starts. Security    Not dumpable until execve: nothing in the container can trace it, read its memory or open its
            /proc/<pid>/exe, which leads to no writable file in any case (`runtime.launcher.interpreter`). It holds no
            descriptor of a host directory once the root is entered.
"""

import _socket as socket
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime import attributes, message, reaper, restrict, terminal
from sampan.runtime.identity import Identity, IdentityError, look_up, of_numbers
from sampan.runtime.request import InitOrders
from sampan.runtime.restrict import StageError
from sampan.runtime.stage import Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, NoReturn
else:
    import _signal as signal  # the same functions without the enums around them


# crun's annotation, of which podman makes use (--group-add keep-groups).
KEEP_GROUPS = "run.oci.keep_original_groups"


def report(sync: socket.socket, error: Exception) -> None:
    """Tell the supervisor why there will be no execve."""
    code = error.exit_code if isinstance(error, StageError) else restrict.FAILED
    message.send(sync, {"event": "error", "message": str(error), "exit_code": code})


def run(sync: socket.socket, prepare: "Callable[[], None]") -> "NoReturn":
    """Everything from the first instruction to execve, of orders that arrive on `sync`; never returns.

    `prepare` is called while nobody waits.
    """

    def from_orders() -> "Stage | None":
        prepare()
        found = message.receive(sync)
        return None if found is None else staged(sync, *found)

    go_on(sync, from_orders)


def staged(sync: socket.socket, found: "dict[str, Any]", fds: "list[int]") -> Stage:
    """The stage for orders as the engine sends them."""
    orders = InitOrders(found)
    stdio = None if orders.tty else (fds.pop(0), fds.pop(0), fds.pop(0))
    return Stage(sync, orders, stdio=stdio, namespace_fds=dict(zip(orders.namespaces, fds, strict=True)))


def go_on(sync: socket.socket, take_orders: "Callable[[], Stage | None]") -> "NoReturn":
    """The life of a first process whose stage `take_orders` yields; never returns."""
    stage = None
    try:
        # Before anything of a container can be seen or reached. A user's own files below /proc would be root's from
        # then on, which the id mappings need: there it comes with the user namespace (`runtime.rebirth`).
        if not os.geteuid():
            syscalls.prctl(c.PR_SET_DUMPABLE, 0)
        # Whoever cleans up after a dead supervisor must not find us still making things. (`restrict` says it again.)
        syscalls.prctl(c.PR_SET_PDEATHSIG, signal.SIGKILL)
        stage = take_orders()
        if stage is not None:
            _run(stage)
    except StageError as error:
        report(stage.sync if stage else sync, error)
    except BaseException as error:  # whatever it is, the supervisor must hear it: this process has no other voice
        report(stage.sync if stage else sync, StageError(f"{type(error).__name__}: {error}"))
    finally:
        os._exit(1)  # even when nobody hears the report: above on the stack is another's code, not ours to go on with


def _run(stage: Stage) -> None:
    orders, spec = stage.orders, stage.spec
    process = spec.get("process") or {}
    restrict.default_signals()
    stage.prepare_on_host()
    stage.build()
    if orders.stops_for_hooks:
        _let_hooks_run(stage)
    attributes.label(process)
    stage.enter_root()
    if not process:
        _wait_in_vain(stage)
    identity = _identity(stage)
    restrict.enter_directory(stage.root.fd, process.get("cwd") or "/")
    assert stage.stdio is not None
    terminal.take_stdio(stage.stdio, is_terminal=orders.tty)
    terminal.own_stdio(identity.uid, identity.gid)
    os.umask(identity.umask)
    os.close(stage.root.fd)
    if not orders.no_new_keyring:
        syscalls.join_session_keyring(f"_ses.{orders.id}")
    environment = with_home(process.get("env") or [], identity.home)
    program = restrict.find_program(process["args"], environment)
    restrict.keep_fds(orders.preserved_fds)
    attributes.apply(process, spec["linux"])
    restrict.restrict(process, identity, stage.sync, orders.filter, dies_with_parent=bool(orders.exec_dir))
    message.send(stage.sync, {"event": "ready"})
    event, late = stage.wait_for_go(), restrict.late_filter(process, orders.filter)
    if late is not None and (spec.get("hooks") or {}).get("startContainer"):
        late.load(stage.sync)  # these hooks are the container's business
        late = None
    _run_hooks(spec, "startContainer", event, environment)
    if (spec.get("annotations") or {}).get(reaper.ANNOTATION):
        reaper.split()
    restrict.execute(program, process["args"], environment, stage.sync, filter=late)


def _wait_in_vain(stage: Stage) -> "NoReturn":
    """A container may be created without a process (config.md, "Process"); it cannot be started."""
    syscalls.prctl(c.PR_SET_PDEATHSIG, 0)  # whoever made it need not stay
    message.send(stage.sync, {"event": "ready"})
    stage.wait_for_go()
    raise StageError("the config has no process to start")


def _identity(stage: Stage) -> Identity:
    orders = stage.orders
    if orders.user is None:
        found = of_numbers(stage.root.fd, stage.spec["process"].get("user") or {})
        found.keeps_groups = (stage.spec.get("annotations") or {}).get(KEEP_GROUPS) == "1"
        return found
    try:
        return look_up(stage.root.fd, orders.user, orders.groups)
    except IdentityError as error:
        raise StageError(str(error)) from error


def _let_hooks_run(stage: Stage) -> None:
    message.send(stage.sync, {"event": "created"})
    found = message.receive(stage.sync)
    if found is None:
        raise StageError("the supervisor went away")
    _run_hooks(stage.spec, "createContainer", found[0])


def _run_hooks(
    spec: "dict[str, Any]", kind: str, event: "dict[str, Any]", environment: "list[str] | None" = None
) -> None:
    """Run the hooks that are to see the container from inside; their state comes from the supervisor."""
    found = (spec.get("hooks") or {}).get(kind)
    if found:
        from sampan.runtime import hooks  # there already: `Stage` has seen to it

        directory = "" if environment else event["state"]["bundle"]
        try:
            hooks.run(found, event["state"], kind=kind, log=_unheard, environment=environment, directory=directory)
        except hooks.HookError as error:
            raise StageError(str(error)) from error


def _unheard(warning: str) -> None:
    """These kinds of hooks have no warnings: each failure is an error."""


def with_home(environment: "list[str]", home: str) -> "list[str]":
    """The environment with HOME set, if it was not, or to nothing."""
    if any(text.startswith("HOME=") and text != "HOME=" for text in environment):
        return environment
    return [*(text for text in environment if text != "HOME="), f"HOME={home}"]
