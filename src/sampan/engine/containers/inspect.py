"""GET /containers/{id}/json: everything about one container."""

import os

import msgspec

from sampan import errors
from sampan.api.wire.container import ContainerInspect, ContainerState
from sampan.api.wire.host import HostConfig
from sampan.api.wire.image import DriverData
from sampan.api.wire.mount import MountPoint as WireMount
from sampan.api.wire.network import EndpointSettings, NetworkSettings
from sampan.base.clock import rfc3339nano
from sampan.engine import securityoptions
from sampan.engine.apparmor import profile_of
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.publish import port_map
from sampan.engine.containers.record import ContainerRecord, MountPoint
from sampan.engine.containers.registry import Container
from sampan.engine.containers.states import State
from sampan.engine.spec import DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS
from sampan.network.values import Endpoint


async def inspect(deps: Containers, ref: str, *, size: bool = False) -> ContainerInspect:
    """What `docker inspect` shows."""
    container = deps.registry.get(ref)
    record = container.record
    folder = deps.paths.container_dir(record.id)
    size_rw, size_root = await sizes(deps, record) if size else (None, None)
    return ContainerInspect(
        id=record.id,
        created=rfc3339nano(record.created_ns),
        path=record.path,
        args=record.args,
        state=state_of(container),
        image=record.image_id,
        resolv_conf_path=_existing(f"{folder}/resolv.conf"),
        hostname_path=_existing(f"{folder}/hostname"),
        hosts_path=_existing(f"{folder}/hosts"),
        log_path=_log_path(deps, container),
        name=f"/{record.name}",
        restart_count=container.restart_count,
        driver="overlay2",
        platform=record.platform,
        exec_ids=list(container.exec_ids) or None,
        host_config=_host_config(record),
        app_armor_profile=_apparmor_profile(deps, record.host),
        graph_driver=DriverData(name="overlay2", data=_graph(deps, record)),
        size_rw=size_rw,
        size_root_fs=size_root,
        mounts=[wire_mount(mount) for mount in record.mounts],
        config=record.config,
        network_settings=_network_settings(container, deps.networks.endpoint(record.id)),
    )


async def sizes(deps: Containers, record: ContainerRecord) -> tuple[int, int]:
    """(bytes that the container wrote, those and its image's)."""
    usage = await deps.snapshotter.usage(record.id)
    try:
        image_bytes = deps.images.resolve(record.image_id).size_bytes
    except errors.NotFound:
        image_bytes = 0  # removed by force while this container lives on its layers
    return usage.size_bytes, usage.size_bytes + image_bytes


def state_of(container: Container) -> ContainerState:
    outcome = container.outcome
    return ContainerState(
        status=container.state.value,
        running=container.is_running or container.state is State.RESTARTING,
        paused=container.state is State.PAUSED,
        restarting=container.state is State.RESTARTING,
        oom_killed=outcome.oom_killed,
        dead=container.state is State.DEAD,
        pid=container.pid,
        exit_code=outcome.exit_code,
        error=outcome.error,
        started_at=rfc3339nano(outcome.started_at_ns),
        finished_at=rfc3339nano(outcome.finished_at_ns),
    )


def wire_mount(mount: MountPoint) -> WireMount:
    return WireMount(
        type=mount.type,
        name=mount.name,
        source=mount.source,
        destination=mount.destination,
        driver=mount.driver,
        mode=mount.mode,
        rw=mount.read_write,
        propagation=mount.propagation,
    )


def endpoint_settings(record: ContainerRecord, endpoint: Endpoint | None) -> dict[str, EndpointSettings | None]:
    """NetworkSettings.Networks: the configured networks, with addresses while the container runs."""
    found: dict[str, EndpointSettings | None] = {}
    for name, asked in (record.networking.endpoints_config or {}).items():
        asked = asked or EndpointSettings()
        if endpoint is None:
            found[name] = asked
            continue
        found[name] = EndpointSettings(
            ipam_config=asked.ipam_config,
            links=asked.links,
            aliases=asked.aliases,
            driver_opts=asked.driver_opts,
            gw_priority=asked.gw_priority,
            mac_address=endpoint.mac_address,
            network_id=endpoint.network_id,
            endpoint_id=endpoint.endpoint_id,
            gateway=endpoint.gateway,
            ip_address=endpoint.ip_address,
            ip_prefix_len=endpoint.prefix_length,
        )
    return found


def _network_settings(container: Container, endpoint: Endpoint | None) -> NetworkSettings:
    record = container.record
    networks = endpoint_settings(record, endpoint)
    if endpoint is None:
        return NetworkSettings(networks=networks)
    on_bridge = endpoint if record.host.network_mode == "bridge" else None
    return NetworkSettings(
        sandbox_id=record.id,
        sandbox_key=f"/proc/{container.pid}/ns/net",
        ports=port_map(record, on_bridge),
        networks=networks,
        endpoint_id=on_bridge.endpoint_id if on_bridge else "",
        gateway=on_bridge.gateway if on_bridge else "",
        ip_address=on_bridge.ip_address if on_bridge else "",
        ip_prefix_len=on_bridge.prefix_length if on_bridge else 0,
        mac_address=on_bridge.mac_address if on_bridge else "",
    )


def _host_config(record: ContainerRecord) -> HostConfig:
    """With the paths that are hidden by default spelled out, as Docker does."""
    if record.host.privileged or record.host.masked_paths is not None:
        return record.host
    return msgspec.structs.replace(
        record.host, masked_paths=list(DEFAULT_MASKED_PATHS), readonly_paths=list(DEFAULT_READONLY_PATHS)
    )


def _apparmor_profile(deps: Containers, host: HostConfig) -> str:
    """The one that was asked for, even where nothing enforces it."""
    asked = securityoptions.parse(host.security_opt).apparmor
    return asked or profile_of(host, is_enabled=deps.host.has_apparmor)


def _graph(deps: Containers, record: ContainerRecord) -> dict[str, str]:
    """The overlay's directories, absolute."""
    words = [word for mount in deps.snapshotter.mounts(record.id) for word in mount.options]
    options = dict(word.partition("=")[::2] for word in words)
    root = options.get("x-sampan.chdir", "")
    lower = ":".join(f"{root}/{part}" for part in options.get("lowerdir", "").split(":"))
    return {
        "ID": record.id,
        "LowerDir": lower,
        "UpperDir": f"{root}/{options.get('upperdir', '')}",
        "WorkDir": f"{root}/{options.get('workdir', '')}",
    }


def _log_path(deps: Containers, container: Container) -> str:
    is_file = container.record.host.log_config.type == "json-file"
    return deps.paths.log_path(container.id) if is_file and container.has_started else ""


def _existing(path: str) -> str:
    return path if os.path.exists(path) else ""
