"""What older API versions meant by the same bodies, as pure functions of a body and a version.

The engine knows one meaning, the newest; what a client of 1.24 to 1.50 says is brought to it here, and what such a
client does not know is taken out of what it is shown.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from sampan import errors
from sampan.api.server.backend import NewContainer
from sampan.api.wire.container import ContainerConfig, ContainerInspect, CreateBody
from sampan.api.wire.host import HostConfig
from sampan.api.wire.image import ImageInspect, ImageSummary
from sampan.api.wire.mount import Mount
from sampan.api.wire.network import EndpointSettings, NetworkingConfig
from sampan.api.wire.system import Info

_EMPTY_CONFIG = ContainerConfig()
_NO_ENDPOINTS = frozenset({"host", "none"})
_MOUNT_OPTIONS = (("bind", "bind_options"), ("volume", "volume_options"), ("tmpfs", "tmpfs_options"))

MAC_WARNING = (
    "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."
)
VOLUME_DRIVER_WARNING = (
    "WARNING: the container-wide volume-driver configuration is ignored for volumes specified via 'mount'. "
    "Use '--mount type=volume,volume-driver=...' instead"
)


def new_container(body: CreateBody, *, name: str, platform: str, api: int) -> tuple[NewContainer, list[str]]:
    """What a create body of version 1.`api` asks for, and what to warn about."""
    config = body.config()
    if config == _EMPTY_CONFIG:
        raise errors.InvalidArgument("config cannot be empty in order to create a container")
    host = _host(body.host_config or HostConfig(), api=api)
    networking, host = _networking(body.networking_config or NetworkingConfig(), host, api=api)
    if api < 44 and config.healthcheck is not None:
        config = replace(config, healthcheck=replace(config.healthcheck, start_interval=0))
    config, networking, warnings = _mac_address(config, host, networking, api=api)
    if api >= 48 and _has_ambiguous_volume_driver(host):
        warnings.append(VOLUME_DRIVER_WARNING)
    wanted = NewContainer(
        name=name, platform=platform if api >= 41 else "", config=config, host=host, networking=networking
    )
    return wanted, warnings


def _host(host: HostConfig, *, api: int) -> HostConfig:
    changes: dict[str, Any] = {}
    if api < 25:
        changes["auto_remove"] = False
    if api < 40:
        changes["kernel_memory_tcp"] = 0
        changes["ipc_mode"] = host.ipc_mode or "shareable"
    if api < 42:
        changes["console_size"] = (0, 0)
    else:
        changes["kernel_memory"] = 0
    if api < 43:
        changes["annotations"] = {}
    if host.mounts:
        changes["mounts"] = [_mount(mount, api=api) for mount in host.mounts]
    if host.pids_limit is not None and host.pids_limit <= 0:
        changes["pids_limit"] = None
    return replace(host, **changes)


def _mount(mount: Mount, *, api: int) -> Mount:
    if api < 48 and mount.type == "image":
        raise errors.InvalidArgument('Mount type "Image" needs API v1.48 or newer')
    if api < 45 and mount.volume_options is not None and mount.volume_options.subpath:
        raise errors.InvalidArgument("VolumeOptions.Subpath needs API v1.45 or newer")
    changes: dict[str, Any] = {}
    for kind, name in _MOUNT_OPTIONS:
        if getattr(mount, name) is not None and mount.type != kind:
            if api >= 42:
                field = name.replace("_options", "").capitalize() + "Options"
                raise errors.InvalidArgument(f'{field} must not be specified on mount type "{mount.type}"')
            changes[name] = None
    bind = mount.bind_options
    if bind is not None and mount.type == "bind" and api < 44:
        if bind.read_only_force_recursive:
            raise errors.InvalidArgument("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
        changes["bind_options"] = replace(
            bind,
            read_only_non_recursive=True,
            create_mountpoint=bind.create_mountpoint and api >= 42,
            non_recursive=bind.non_recursive and api >= 40,
        )
    return replace(mount, **changes) if changes else mount


def _networking(networking: NetworkingConfig, host: HostConfig, *, api: int) -> tuple[NetworkingConfig, HostConfig]:
    endpoints = dict(networking.endpoints_config or {})
    if host.network_mode in ("", "default"):
        host = replace(host, network_mode="bridge")
        if "default" in endpoints:
            endpoints["bridge"] = endpoints.pop("default")
    if api < 44 and len(endpoints) > 1:
        names = ", ".join(endpoints)
        raise errors.InvalidArgument(f"Container cannot be created with multiple network endpoints: {names}")
    if api < 48:
        endpoints = {name: found and replace(found, gw_priority=0) for name, found in endpoints.items()}
    return NetworkingConfig(endpoints_config=endpoints), host


def _mac_address(
    config: ContainerConfig, host: HostConfig, networking: NetworkingConfig, *, api: int
) -> tuple[ContainerConfig, NetworkingConfig, list[str]]:
    """Move the container-wide MAC address to the endpoint of the container's main network."""
    endpoints = dict(networking.endpoints_config or {})
    if not config.mac_address:
        if api < 44:
            endpoints = {name: found and replace(found, mac_address="") for name, found in endpoints.items()}
        return config, NetworkingConfig(endpoints_config=endpoints), []
    mode = host.network_mode
    if mode in _NO_ENDPOINTS or mode.startswith("container:"):
        if api < 44:
            raise errors.InvalidArgument("conflicting options: mac-address and the network mode")
        return replace(config, mac_address=""), networking, [MAC_WARNING]
    name = next(iter(endpoints)) if api < 44 and endpoints else mode
    if endpoints and name not in endpoints:
        raise errors.InvalidArgument(
            "unable to migrate container-wide MAC address to a specific network: "
            "HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks"
        )
    endpoint = endpoints.get(name) or EndpointSettings()
    if api >= 44 and endpoint.mac_address not in ("", config.mac_address):
        raise errors.InvalidArgument(
            "the container-wide MAC address must match the endpoint-specific MAC address for the main network, "
            "or be left empty"
        )
    endpoints[name] = replace(endpoint, mac_address=config.mac_address)
    moved = NetworkingConfig(endpoints_config=endpoints)
    return (config, moved, []) if api < 44 else (replace(config, mac_address=""), moved, [MAC_WARNING])


def _has_ambiguous_volume_driver(host: HostConfig) -> bool:
    def names_driver(mount: Mount) -> bool:
        options = mount.volume_options
        return bool(options and options.driver_config and options.driver_config.name)

    return bool(host.volume_driver) and any(mount.type == "volume" and not names_driver(mount) for mount in host.mounts)


def shown_container(found: ContainerInspect, *, api: int) -> ContainerInspect:
    if api >= 48:
        return found
    if api < 45:
        found = replace(found, network_settings=_with_short_ids(found))
    return replace(found, image_manifest_descriptor=None)


def _with_short_ids(found: ContainerInspect) -> Any:
    """Before 1.45 the aliases on networks of the user held the container's short id and host name."""
    networks = {}
    for name, endpoint in found.network_settings.networks.items():
        if endpoint is not None and name not in ("bridge", "host", "none"):
            extra = [*(endpoint.aliases or ()), found.id[:12], found.config.hostname]
            endpoint = replace(endpoint, aliases=list(dict.fromkeys(extra)))
        networks[name] = endpoint
    return replace(found.network_settings, networks=networks)


_LEGACY_IMAGE_CONFIG = {
    "AttachStderr": False,
    "AttachStdin": False,
    "AttachStdout": False,
    "Domainname": "",
    "Hostname": "",
    "Image": "",
    "OpenStdin": False,
    "StdinOnce": False,
    "Tty": False,
}


def shown_image(found: ImageInspect, *, api: int) -> object:
    if api >= 50:
        return found
    shown: dict[str, Any] = msgspec.to_builtins(found)
    if api < 44:
        shown["VirtualSize"] = found.size
        shown.setdefault("Created", "0001-01-01T00:00:00Z")
    if api < 48:
        shown.pop("Descriptor", None)
    shown["Config"] = dict(sorted({**_LEGACY_IMAGE_CONFIG, **shown["Config"]}.items()))
    return shown


def listed_image(found: ImageSummary, *, api: int) -> ImageSummary:
    if api >= 51:
        return found
    changes: dict[str, Any] = {"containers": -1}
    if api < 48:
        changes["descriptor"] = None
    if api < 44:
        changes["virtual_size"] = found.size
    if api < 43 and not found.repo_tags and not found.repo_digests:
        changes["repo_tags"], changes["repo_digests"] = ["<none>:<none>"], ["<none>@<none>"]
    return replace(found, **changes)


def shown_info(found: Info, *, api: int) -> object:
    if api >= 50:
        return found
    changes: dict[str, Any] = {"discovered_devices": []}
    if api < 49:
        changes["firewall_backend"] = None
        for name in ("containerd_commit", "runc_commit", "init_commit"):
            commit = getattr(found, name)
            changes[name] = replace(commit, expected=commit.id)
    if api < 46:
        changes["containerd"] = None
    if api < 44 and found.runtimes is not None:
        changes["runtimes"] = {name: replace(runtime, status={}) for name, runtime in found.runtimes.items()}
    shown: dict[str, Any] = msgspec.to_builtins(replace(found, **changes))
    return {**shown, "BridgeNfIptables": False, "BridgeNfIp6tables": False}
