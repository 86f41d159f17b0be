"""POST /containers/{id}/start: from a record to a running process.

Order       1. files and directories: /etc/hosts and its kin, missing -v sources; a network namespace
            2. at the same time: the shim and a waiting init; the endpoint (veth, address, nftables); `wanted` in the
               database
            3. the container's own address into its /etc/hosts
            4. init is let go; the start is acknowledged when execve(2) has succeeded
Invariants  Each stage's release is registered before the next stage; a failed start leaves nothing but the container in
            its former state, with the exit code (126, 127 or 128) and the message.
"""

import asyncio
import os
from contextlib import AsyncExitStack

from sampan import errors
from sampan.base.tasks import concurrently, finish
from sampan.engine import hostfiles
from sampan.engine.containers import collaborators as parts
from sampan.engine.containers import validation
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.logfile import log_settings
from sampan.engine.containers.notify import notify, notify_network, notify_volumes
from sampan.engine.containers.publish import port_bindings
from sampan.engine.containers.record import Outcome, set_wanted
from sampan.engine.containers.registry import Container
from sampan.engine.containers.remove import remove_locked
from sampan.engine.containers.states import State
from sampan.engine.containers.supervise import supervise
from sampan.engine.idmapping import IdMapping, mapping_of
from sampan.engine.seccomp import filter_of
from sampan.engine.spec import build_spec
from sampan.network.values import Endpoint
from sampan.runtime.request import LaunchRequest

CONNECT_TIMEOUT_S = 2.0
_TASK = "failed to create task for container: "
_PREFIX = (
    f"{_TASK}failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)


async def start(deps: Containers, ref: str) -> None:
    """Run the container; NotModified when it runs already."""
    container = deps.registry.get(ref)
    async with deps.locks(container.id):
        if deps.registry.find(container.id) is not container:
            raise errors.NotFound(f"No such container: {ref}")
        _check_startable(container)
        mapping = mapping_of(container.record.host, deps.host)
        if mapping:
            # Again: it may have been made when the daemon did not remap.
            validation.check_remapped(container.record.host)
        await _await_attaches(container)
        try:
            await _launch(deps, container, mapping)
        except OSError as error:
            failure = errors.Internal(f"{error.strerror}: {error.filename}")
            raise await _failed(deps, container, failure) from error
        except errors.Error as error:
            raise await _failed(deps, container, error) from error


def _check_startable(container: Container) -> None:
    if container.state is State.PAUSED:
        raise errors.Conflict("cannot start a paused container, try unpause instead")
    if container.is_running:
        raise errors.NotModified(f"container {container.id} is already running")
    if container.state in (State.REMOVING, State.DEAD):
        raise errors.Conflict("container is marked for removal and cannot be started")


async def _await_attaches(container: Container) -> None:
    """Let the streams of accepted attach requests arrive; a client starts as soon as it has seen its 101."""
    if not container.connecting:
        return
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await asyncio.wait(set(container.connecting))
    except TimeoutError:
        pass  # that client has gone


async def _launch(deps: Containers, container: Container, mapping: IdMapping | None) -> None:
    record = container.record
    async with AsyncExitStack() as undo:
        container.outcome = Outcome(
            started_at_ns=container.outcome.started_at_ns, finished_at_ns=container.outcome.finished_at_ns
        )
        # The launcher looks for a namespace while this thread writes files.
        netns, request = await concurrently(
            _new_netns(deps, container, mapping, undo), _prepare(deps, container, mapping)
        )
        # The endpoint first: its netlink messages go out in a thread, which the rest need not wait for.
        endpoint, shim, _ = await concurrently(
            _join(deps, container, netns, undo),
            _launch_shim(deps, container, request, netns, undo),
            deps.database.write(lambda transaction: set_wanted(transaction, record.id, wanted=True)),
        )
        hostfiles.add_own_address(deps.paths.container_dir(record.id), record, endpoint)
        started = await shim.start()
        container.ran(shim, pid=started.pid, started_at_ns=started.started_at_ns)
        undo.pop_all()
    if netns is not None:
        netns.close()
    _announce(deps, container, endpoint)
    deps.tasks.spawn(supervise(deps, container, shim), name=f"container {record.id[:12]}")
    await _attach_late(container, shim)


async def _new_netns(
    deps: Containers, container: Container, mapping: IdMapping | None, undo: AsyncExitStack
) -> parts.Netns | None:
    if container.record.host.network_mode == "host":
        return None
    netns = await deps.launcher.netns(mapping)
    undo.callback(netns.close)
    return netns


async def _prepare(deps: Containers, container: Container, mapping: IdMapping | None) -> LaunchRequest:
    _prepare_files(deps, container, mapping)
    return _request(deps, container, mapping)


def _prepare_files(deps: Containers, container: Container, mapping: IdMapping | None) -> None:
    """What init is going to mount from the host."""
    record = container.record
    folder = deps.paths.container_dir(record.id)
    os.makedirs(folder, mode=0o710, exist_ok=True)
    try:
        os.unlink(deps.paths.exit_path(record.id))
    except FileNotFoundError:
        pass
    for mount in record.mounts:
        if mount.create_source:
            _make_source(mount.source, mapping.root if mapping else (0, 0))
        elif mount.type == "bind" and not os.path.exists(mount.source):
            raise errors.InvalidArgument(
                f'invalid mount config for type "bind": bind source path does not exist: {mount.source}'
            )
    hostfiles.write(folder, record, deps.host)


def _make_source(path: str, owner: tuple[int, int]) -> None:
    """A directory, and those above it, for the container's root."""
    if os.path.exists(path):
        return
    missing = [path]
    while not os.path.exists(parent := os.path.dirname(missing[-1])):
        missing.append(parent)
    try:
        for folder in reversed(missing):
            os.mkdir(folder)
            if owner != (0, 0):
                os.chown(folder, *owner)
    except FileExistsError:
        return  # somebody else makes it, too
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise errors.InvalidArgument(
            f"error while creating mount source path '{path}': mkdir {path}: {reason}"
        ) from error


def _request(deps: Containers, container: Container, mapping: IdMapping | None) -> LaunchRequest:
    record, paths = container.record, deps.paths
    config, host = record.config, record.host
    spec = build_spec(record, deps.host, paths.container_dir(record.id))
    runtime = deps.runtimes.program(host.runtime)
    if runtime is not None:
        deps.runtimes.fit(spec, host)
    seccomp, layers = spec["linux"].get("seccomp"), deps.snapshotter.mounts(record.id)
    if runtime is None:
        spec["linux"].pop("seccomp", None)  # our own takes the compiled filter, and has no use for the profile
    return LaunchRequest(
        id=record.id,
        spec=spec,
        rootfs=mapping.on_layers(layers) if mapping else layers,
        user=config.user,
        groups=list(host.group_add or []),
        create_cwd=True,
        tty=config.tty,
        open_stdin=config.open_stdin,
        stdin_once=config.stdin_once,
        exec_dir=paths.exec_dir(record.id),
        exit_path=paths.exit_path(record.id),
        log=log_settings(host.log_config, paths.log_path(record.id)),
        runtime=runtime,
        filter=filter_of(seccomp) if runtime is None else None,
    )


async def _launch_shim(
    deps: Containers, container: Container, request: LaunchRequest, netns: parts.Netns | None, undo: AsyncExitStack
) -> parts.Shim:
    attaches, container.parked = container.parked, []
    shim = await deps.launcher.launch(request, netns=netns, attaches=attaches)
    undo.push_async_callback(_discard, shim)
    return shim


async def _discard(shim: parts.Shim) -> None:
    await finish(shim.discard())


async def _join(deps: Containers, container: Container, netns: parts.Netns | None, undo: AsyncExitStack) -> Endpoint:
    record = container.record
    undo.push_async_callback(_leave, deps, record.id)
    try:
        return await deps.networks.join(
            record.id,
            mode=record.host.network_mode,
            ports=port_bindings(record),
            netns=netns,
            hostname=record.config.hostname,
            mac=record.config.mac_address or None,
            name=record.name,
        )
    except errors.NotFound as error:
        raise errors.NotFound(f"failed to set up container networking: {error}") from error


async def _leave(deps: Containers, id: str) -> None:
    await finish(deps.networks.leave(id))


async def _attach_late(container: Container, shim: parts.Shim) -> None:
    """Streams that were parked after the launch had taken those before."""
    late, container.parked = container.parked, []
    for stream in late:
        try:
            await shim.attach(stream)
        except errors.Error:
            continue  # it has ended already; the stream is closed


def _announce(deps: Containers, container: Container, endpoint: Endpoint) -> None:
    notify_volumes(deps, container, mounted=True)
    notify_network(deps, container, "connect", endpoint)
    notify(deps, container, "start")


async def _failed(deps: Containers, container: Container, error: errors.Error) -> errors.Error:
    """Note why the start failed; returns what to tell the client."""
    exit_code = error.exit_code if isinstance(error, errors.StartFailed) else 128
    if exit_code in (126, 127) and not str(error).startswith(_TASK):
        error = errors.StartFailed(_PREFIX + str(error), exit_code=exit_code)
    before = container.outcome
    container.outcome = Outcome(
        exit_code=exit_code,
        error=str(error),
        started_at_ns=before.started_at_ns,
        finished_at_ns=before.finished_at_ns,
    )
    container.drop_parked()
    if container.record.host.auto_remove:
        await remove_locked(deps, container, volumes=True)
    else:
        await deps.database.write(
            lambda transaction: set_wanted(transaction, container.id, wanted=False, outcome=container.outcome)
        )
    return error
