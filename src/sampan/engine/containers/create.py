"""POST /containers/create: check, resolve, and write down; nothing runs yet.

Order       1. checks that need only the request  2. image, command  3. name  4. volumes  5. snapshot and record, in
            one transaction.
Invariants  The container is visible only when its record is durable. A failure gives back what was taken: the name, the
            anonymous volumes, the snapshot. A crash in between leaves what the sweep at start removes.
"""

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec

from sampan import errors
from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.host import HostConfig, LogConfig, RestartPolicy
from sampan.api.wire.network import EndpointSettings, NetworkingConfig
from sampan.base.ids import SHORT, new_id
from sampan.base.tasks import finish
from sampan.engine import securityoptions
from sampan.engine.containers import merge, mounts, validation
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.notify import notify
from sampan.engine.containers.record import ContainerRecord, MountPoint, insert
from sampan.engine.containers.registry import Container
from sampan.engine.idmapping import mapping_of
from sampan.engine.names import random_name
from sampan.errors import InvalidArgument, Unimplemented
from sampan.image.record import Image
from sampan.oci.image import RunConfig
from sampan.storage.metadata import Transaction

DEFAULT_SHM_BYTES = 64 * 1024 * 1024
WRITE_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """What the client sent; `name` is empty for a name of our choice."""

    config: ContainerConfig
    host: HostConfig
    networking: NetworkingConfig
    name: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    id: str
    warnings: list[str] = field(default_factory=list)


async def create(deps: Containers, request: CreateRequest) -> Created:
    """Make a container out of an image."""
    if request.config == ContainerConfig():
        raise InvalidArgument("config cannot be empty in order to create a container")
    validation.check_config(request.config)
    validation.check_host(request.host)
    if mapping_of(request.host, deps.host):
        validation.check_remapped(request.host)
    deps.runtimes.find(request.host.runtime)
    name = validation.check_name(request.name) if request.name else ""
    image = deps.images.resolve(request.config.image)
    _check_platform(request, image)
    config = merge.merged(request.config, image.config.config or RunConfig())
    path, args = merge.command(config)
    host = _with_defaults(deps, request.host)
    wishes = mounts.wishes(host, config.volumes or {}, _inherited(deps, host))
    id = new_id()
    async with AsyncExitStack() as undo:
        name = _reserve(deps, name, id, undo)
        record = ContainerRecord(
            id=id,
            name=name,
            created_ns=deps.clock.now_ns(),
            image_id=image.id,
            path=path,
            args=args,
            config=_with_hostname(config, host, id),
            host=host,
            networking=_networking(request.networking, host),
            mounts=[await _resolve(deps, wish, image, undo) for wish in wishes],
        )
        await _write_down(deps, record, image.chain_id)
        container = Container(record)
        deps.registry.add(container)
        undo.pop_all()
    notify(deps, container, "create")
    return Created(id, _warnings(request.host))


def _check_platform(request: CreateRequest, image: Image) -> None:
    """An image of another platform counts as absent: clients then pull the right one."""
    asked = request.platform.split("/")
    found = [image.config.os, image.config.architecture, image.config.variant]
    if any(wanted and wanted != has for wanted, has in zip(asked, found, strict=False)):
        raise errors.NotFound(
            f"image with reference {request.config.image} was found but its platform "
            f"({'/'.join(filter(None, found))}) does not match the specified platform ({request.platform})"
        )


def _with_defaults(deps: Containers, host: HostConfig) -> HostConfig:
    """Fill in what the daemon chooses when the client does not."""
    memory_swap = host.memory_swap or 2 * host.memory
    network_mode = "bridge" if host.network_mode in ("", "default") else host.network_mode
    return msgspec.structs.replace(
        host,
        shm_size=host.shm_size or DEFAULT_SHM_BYTES,
        memory_swap=memory_swap,
        network_mode=network_mode,
        ipc_mode=host.ipc_mode or "private",
        cgroupns_mode=host.cgroupns_mode or _cgroupns_mode(deps, host),
        runtime=host.runtime or deps.runtimes.default,
        log_config=LogConfig(type=host.log_config.type or "json-file", config=host.log_config.config or {}),
        restart_policy=RestartPolicy(
            name=host.restart_policy.name or "no", maximum_retry_count=host.restart_policy.maximum_retry_count
        ),
        oom_kill_disable=bool(host.oom_kill_disable),
        pids_limit=host.pids_limit if host.pids_limit and host.pids_limit > 0 else None,
        security_opt=securityoptions.with_label(
            host.security_opt, shares_with_host=host.privileged or "host" in (host.pid_mode, host.ipc_mode)
        ),
    )


def _cgroupns_mode(deps: Containers, host: HostConfig) -> str:
    """A namespace of its own, with version 1 too (unlike Docker): a container has no need to see the host's tree."""
    return "host" if host.privileged and deps.host.cgroup_version == 1 else "private"


def _with_hostname(config: ContainerConfig, host: HostConfig, id: str) -> ContainerConfig:
    if config.hostname:
        return config
    shares_uts = host.network_mode == "host" or host.uts_mode == "host"
    return msgspec.structs.replace(config, hostname=os.uname().nodename if shares_uts else id[:SHORT])


def _networking(asked: NetworkingConfig, host: HostConfig) -> NetworkingConfig:
    """The networks to join: the one that the mode names, with the client's settings for it."""
    mode = host.network_mode
    if mode.startswith("container:"):
        return NetworkingConfig(endpoints_config={})
    found = dict(asked.endpoints_config or {})
    settings = found.pop(mode, None) or found.pop("default", None)
    return NetworkingConfig(endpoints_config={mode: settings or EndpointSettings(), **found})


def _inherited(deps: Containers, host: HostConfig) -> list[mounts.Wish]:
    """The mounts of --volumes-from."""
    found: list[mounts.Wish] = []
    for text in host.volumes_from or ():
        ref, _, mode = text.partition(":")
        if mode not in ("", "ro", "rw", "z", "Z"):
            raise InvalidArgument(f"invalid mode: {mode}")
        found += [_wish_of(mount, mode) for mount in deps.registry.get(ref).record.mounts]
    return found


def _wish_of(mount: MountPoint, mode: str) -> mounts.Wish:
    return mounts.Wish(
        type=mount.type,
        destination=mount.destination,
        source="" if mount.type == "volume" else mount.source,
        name=mount.name,
        driver=mount.driver,
        mode=mode,
        read_write=mount.read_write and mode != "ro",
        propagation=mount.propagation,
        recursive=mount.recursive,
        options=mount.options,
    )


def _reserve(deps: Containers, name: str, id: str, undo: AsyncExitStack) -> str:
    name = name or random_name(deps.registry.names())
    deps.registry.reserve(name, id)
    undo.callback(deps.registry.release, name, id)
    return name


async def _resolve(deps: Containers, wish: mounts.Wish, image: Image, undo: AsyncExitStack) -> MountPoint:
    """A mount with its volume made."""
    if wish.subpath:
        raise Unimplemented("volume-subpath is not supported yet")
    source, name, anonymous = wish.source, wish.name, False
    if wish.type == "volume":
        anonymous = not name
        is_new = anonymous or not _has_volume(deps, name)
        volume = await deps.volumes.ensure(
            name, driver=wish.driver, options=wish.driver_options, labels=wish.labels, anonymous=anonymous
        )
        if is_new:
            deps.events.publish("volume", "create", volume.name, {"driver": "local"})
        source, name = volume.path, volume.name
        if anonymous:
            undo.push_async_callback(_remove_volume, deps, name)
    return MountPoint(
        type=wish.type,
        destination=wish.destination,
        source=source,
        name=name,
        driver="local" if wish.type == "volume" else "",
        mode=wish.mode,
        read_write=wish.read_write,
        propagation=wish.propagation,
        recursive=wish.recursive,
        read_only_recursive=wish.read_only_recursive,
        options=wish.options,
        anonymous=anonymous,
        copy_up=wish.copy_up and wish.type == "volume",
        create_source=wish.create_source,
    )


def _has_volume(deps: Containers, name: str) -> bool:
    try:
        deps.volumes.get(name)
    except errors.NotFound:
        return False
    return True


async def _remove_volume(deps: Containers, name: str) -> None:
    """Remove an anonymous volume, even when cancelled."""
    await finish(deps.volumes.remove(name))


async def _write_down(deps: Containers, record: ContainerRecord, chain_id: str | None) -> None:
    """Make the snapshot and the record durable, in one transaction."""

    def write(transaction: Transaction) -> None:
        insert(transaction, record)
        change.apply(transaction)

    with deps.snapshotter.change() as change:
        change.prepare(record.id, chain_id)
        await finish(deps.database.write(write), timeout_s=WRITE_TIMEOUT_S)


def _warnings(host: HostConfig) -> list[str]:
    found = []
    if host.network_mode == "host" and host.port_bindings:
        found.append("Published ports are discarded when using host network mode")
    if host.restart_policy.name not in ("", "no"):
        found.append(f"Restart policy {host.restart_policy.name} is recorded, but not applied by this version.")
    if host.kernel_memory:
        found.append("Specifying a kernel memory limit is deprecated and will be removed in a future release.")
    return found
