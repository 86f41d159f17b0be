"""Version, info and errors on the wire, as API 1.51 writes them."""

from typing import Any

import msgspec

from sampan.api.wire.gojson import EMPTY_LIST, EMPTY_MAP, FLAG, LIST, MAP, NULL, NUMBER, TEXT, Shape, pascal


class ErrorResponse(Shape, rename="lower"):
    message: str = TEXT


class PlatformName(Shape):
    name: str = TEXT


class Component(Shape):
    name: str = TEXT
    version: str = TEXT
    details: dict[str, str] = MAP


class Version(Shape, rename=pascal(min_api_version="MinAPIVersion")):
    platform: PlatformName = msgspec.field(default_factory=PlatformName)
    components: list[Component] = LIST
    version: str = TEXT
    api_version: str = TEXT
    min_api_version: str = ""
    git_commit: str = TEXT
    go_version: str = TEXT
    os: str = TEXT
    arch: str = TEXT
    kernel_version: str = ""
    experimental: bool = False
    build_time: str = ""


class Plugins(Shape):
    volume: list[str] = EMPTY_LIST
    network: list[str] = EMPTY_LIST
    authorization: list[str] | None = NULL
    log: list[str] = EMPTY_LIST


class IndexInfo(Shape):
    mirrors: list[str] = EMPTY_LIST
    name: str = TEXT
    official: bool = FLAG
    secure: bool = FLAG


class RegistryConfig(Shape, rename=pascal(insecure_registry_cidrs="InsecureRegistryCIDRs")):
    index_configs: dict[str, IndexInfo] = EMPTY_MAP
    insecure_registry_cidrs: list[str] = EMPTY_LIST
    mirrors: list[str] | None = NULL


class Runtime(Shape, rename="camel"):
    path: str = ""
    runtime_args: list[str] = LIST
    runtime_type: str = ""
    options: dict[str, Any] = MAP
    status: dict[str, str] = MAP


class SwarmInfo(Shape, rename=pascal(node_id="NodeID")):
    node_id: str = TEXT
    node_addr: str = TEXT
    local_node_state: str = msgspec.field(default_factory=lambda: "inactive")
    control_available: bool = FLAG
    error: str = TEXT
    remote_managers: list[dict[str, str]] | None = NULL
    nodes: int = 0
    managers: int = 0


class Commit(Shape, rename=pascal(id="ID")):
    id: str = TEXT
    expected: str = ""


class AddressPool(Shape):
    base: str = TEXT
    size: int = NUMBER


class FirewallBackend(Shape):
    driver: str = TEXT
    info: list[tuple[str, str]] = LIST


class DiscoveredDevice(Shape, rename=pascal(id="ID")):
    source: str = TEXT
    id: str = TEXT


class Info(
    Shape,
    rename=pascal(
        id="ID",
        kernel_memory_tcp="KernelMemoryTCP",
        cpu_shares="CPUShares",
        cpu_set="CPUSet",
        ipv4_forwarding="IPv4Forwarding",
        n_fd="NFd",
        n_goroutines="NGoroutines",
        n_events_listener="NEventsListener",
        os_version="OSVersion",
        os_type="OSType",
        ncpu="NCPU",
        cdi_spec_dirs="CDISpecDirs",
    ),
):
    """`GET /info`."""

    id: str = TEXT
    containers: int = NUMBER
    containers_running: int = NUMBER
    containers_paused: int = NUMBER
    containers_stopped: int = NUMBER
    images: int = NUMBER
    driver: str = TEXT
    driver_status: list[tuple[str, str]] | None = NULL
    system_status: list[tuple[str, str]] = LIST
    plugins: Plugins = msgspec.field(default_factory=Plugins)
    memory_limit: bool = FLAG
    swap_limit: bool = FLAG
    kernel_memory: bool = False
    kernel_memory_tcp: bool = False
    cpu_cfs_period: bool = FLAG
    cpu_cfs_quota: bool = FLAG
    cpu_shares: bool = FLAG
    cpu_set: bool = FLAG
    pids_limit: bool = FLAG
    ipv4_forwarding: bool = FLAG
    debug: bool = FLAG
    n_fd: int = NUMBER
    oom_kill_disable: bool = FLAG
    n_goroutines: int = NUMBER
    system_time: str = TEXT
    logging_driver: str = TEXT
    cgroup_driver: str = TEXT
    cgroup_version: str = ""
    n_events_listener: int = NUMBER
    kernel_version: str = TEXT
    operating_system: str = TEXT
    os_version: str = TEXT
    os_type: str = TEXT
    architecture: str = TEXT
    index_server_address: str = TEXT
    registry_config: RegistryConfig | None = NULL
    ncpu: int = NUMBER
    mem_total: int = NUMBER
    generic_resources: list[dict[str, Any]] | None = NULL
    docker_root_dir: str = TEXT
    http_proxy: str = TEXT
    https_proxy: str = TEXT
    no_proxy: str = TEXT
    name: str = TEXT
    labels: list[str] | None = NULL
    experimental_build: bool = FLAG
    server_version: str = TEXT
    runtimes: dict[str, Runtime] | None = NULL
    default_runtime: str = TEXT
    swarm: SwarmInfo = msgspec.field(default_factory=SwarmInfo)
    live_restore_enabled: bool = FLAG
    isolation: str = TEXT
    init_binary: str = TEXT
    containerd_commit: Commit = msgspec.field(default_factory=Commit)
    runc_commit: Commit = msgspec.field(default_factory=Commit)
    init_commit: Commit = msgspec.field(default_factory=Commit)
    security_options: list[str] | None = NULL
    product_license: str = ""
    default_address_pools: list[AddressPool] = LIST
    firewall_backend: FirewallBackend | None = None
    cdi_spec_dirs: list[str] | None = NULL
    discovered_devices: list[DiscoveredDevice] = LIST
    containerd: dict[str, Any] | None = None
    warnings: list[str] | None = NULL
