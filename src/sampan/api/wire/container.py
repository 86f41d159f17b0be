"""Containers on the wire: the body of a create, inspect, list, wait. HostConfig is in `host`.

Units   Healthcheck durations in nanoseconds; StopTimeout in seconds; sizes in bytes.
"""

from typing import Any

import msgspec

from sampan.api.wire.gojson import (
    EMPTY_LIST,
    FLAG,
    LIST,
    MAP,
    NULL,
    NUMBER,
    TEXT,
    ZERO_TIME,
    Int64,
    NameSet,
    Shape,
    Words,
    pascal,
)
from sampan.api.wire.host import HostConfig
from sampan.api.wire.image import Descriptor, DriverData
from sampan.api.wire.mount import MountPoint
from sampan.api.wire.network import NetworkingConfig, NetworkSettings, NetworkSettingsSummary

NEVER: Any = msgspec.field(default_factory=lambda: ZERO_TIME)


class HealthConfig(Shape):
    test: list[str] = LIST
    interval: Int64 = 0
    timeout: Int64 = 0
    start_period: Int64 = 0
    start_interval: Int64 = 0
    retries: Int64 = 0


class ContainerConfig(Shape):
    """What an image's config and a create body have in common."""

    hostname: str = TEXT
    domainname: str = TEXT
    user: str = TEXT
    attach_stdin: bool = FLAG
    attach_stdout: bool = FLAG
    attach_stderr: bool = FLAG
    exposed_ports: NameSet = MAP
    tty: bool = FLAG
    open_stdin: bool = FLAG
    stdin_once: bool = FLAG
    env: list[str] | None = NULL
    cmd: Words | None = NULL
    healthcheck: HealthConfig | None = None
    args_escaped: bool = False
    image: str = TEXT
    volumes: NameSet | None = NULL
    working_dir: str = TEXT
    entrypoint: Words | None = NULL
    network_disabled: bool = False
    mac_address: str = ""
    on_build: list[str] | None = NULL
    labels: dict[str, str] | None = NULL
    stop_signal: str = ""
    stop_timeout: Int64 | None = None
    shell: Words = LIST


class CreateBody(ContainerConfig):
    """`POST /containers/create`: the configuration's fields beside HostConfig and NetworkingConfig.

    `historic` names are sent by docker-py (Runtime), dockerode (name, platform) and clients of the years before API
    1.18 (limits beside the command), and have no effect in any engine of today.
    """

    go_type = "container.CreateRequest"
    historic = frozenset(
        "name platform runtime portspecs memory memoryswap memoryreservation kernelmemory cpushares cpuset cpusetcpus "
        "dns volumesfrom volumedriver securityopts mounts publishservice authconfig _query _body abortsignal".split()
    )

    host_config: HostConfig | None = None
    networking_config: NetworkingConfig | None = None

    def config(self) -> ContainerConfig:
        """The configuration alone."""
        return ContainerConfig(**{name: getattr(self, name) for name in ContainerConfig.__struct_fields__})


class CreateResponse(Shape):
    id: str = TEXT
    warnings: list[str] = EMPTY_LIST


class HealthResult(Shape):
    start: str = NEVER
    end: str = NEVER
    exit_code: int = NUMBER
    output: str = TEXT


class Health(Shape):
    status: str = TEXT
    failing_streak: int = NUMBER
    log: list[HealthResult] | None = NULL


class ContainerState(Shape, rename=pascal(oom_killed="OOMKilled")):
    status: str = TEXT
    running: bool = FLAG
    paused: bool = FLAG
    restarting: bool = FLAG
    oom_killed: bool = FLAG
    dead: bool = FLAG
    pid: int = NUMBER
    exit_code: int = NUMBER
    error: str = TEXT
    started_at: str = NEVER
    finished_at: str = NEVER
    health: Health | None = None


class ContainerInspect(Shape, rename=pascal(exec_ids="ExecIDs")):
    id: str = TEXT
    created: str = TEXT
    path: str = TEXT
    args: list[str] = EMPTY_LIST
    state: ContainerState = msgspec.field(default_factory=ContainerState)
    image: str = TEXT
    resolv_conf_path: str = TEXT
    hostname_path: str = TEXT
    hosts_path: str = TEXT
    log_path: str = TEXT
    name: str = TEXT
    restart_count: int = NUMBER
    driver: str = TEXT
    platform: str = TEXT
    mount_label: str = TEXT
    process_label: str = TEXT
    app_armor_profile: str = TEXT
    exec_ids: list[str] | None = NULL
    host_config: HostConfig = msgspec.field(default_factory=HostConfig)
    graph_driver: DriverData = msgspec.field(default_factory=DriverData)
    size_rw: int | None = None
    size_root_fs: int | None = None
    mounts: list[MountPoint] = EMPTY_LIST
    config: ContainerConfig = msgspec.field(default_factory=ContainerConfig)
    network_settings: NetworkSettings = msgspec.field(default_factory=NetworkSettings)
    image_manifest_descriptor: Descriptor | None = None


class PortSummary(Shape, rename=pascal(ip="IP")):
    ip: str = ""
    private_port: int = NUMBER
    public_port: int = 0
    type: str = TEXT


class HostConfigSummary(Shape):
    network_mode: str = ""
    annotations: dict[str, str] = MAP


class ContainerSummary(Shape, rename=pascal(id="Id", image_id="ImageID")):
    id: str = TEXT
    names: list[str] = EMPTY_LIST
    image: str = TEXT
    image_id: str = TEXT
    image_manifest_descriptor: Descriptor | None = None
    command: str = TEXT
    created: int = NUMBER
    ports: list[PortSummary] = EMPTY_LIST
    size_rw: int = 0
    size_root_fs: int = 0
    labels: dict[str, str] | None = NULL
    state: str = TEXT
    status: str = TEXT
    host_config: HostConfigSummary = msgspec.field(default_factory=HostConfigSummary)
    network_settings: NetworkSettingsSummary = msgspec.field(default_factory=NetworkSettingsSummary)
    mounts: list[MountPoint] = EMPTY_LIST


class WaitError(Shape):
    message: str = TEXT


class WaitResponse(Shape):
    error: WaitError | None = None
    status_code: int = NUMBER
