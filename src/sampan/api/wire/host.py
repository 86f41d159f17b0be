"""A container's host-side configuration: what the engine grants, mounts, limits and publishes for it.

Units   Memory and ShmSize in bytes; NanoCpus in billionths of a CPU; CpuPeriod and CpuQuota in microseconds.
"""

from typing import Any

import msgspec

from sampan.api.wire.gojson import (
    FLAG,
    LIST,
    MAP,
    NULL,
    NUMBER,
    TEXT,
    Int64,
    Shape,
    Uint16,
    Uint64,
    Words,
    pascal,
)
from sampan.api.wire.mount import Mount
from sampan.api.wire.network import PortMap


class LogConfig(Shape):
    type: str = TEXT
    config: dict[str, str] | None = NULL


class RestartPolicy(Shape):
    name: str = TEXT
    maximum_retry_count: Int64 = NUMBER


class WeightDevice(Shape):
    path: str = TEXT
    weight: Uint16 = NUMBER


class ThrottleDevice(Shape):
    path: str = TEXT
    rate: Uint64 = NUMBER


class DeviceMapping(Shape):
    path_on_host: str = TEXT
    path_in_container: str = TEXT
    cgroup_permissions: str = TEXT


class DeviceRequest(Shape, rename=pascal(device_ids="DeviceIDs")):
    driver: str = TEXT
    count: Int64 = NUMBER
    device_ids: list[str] | None = NULL
    capabilities: list[list[str]] | None = NULL
    options: dict[str, str] | None = NULL


class Ulimit(Shape):
    name: str = TEXT
    hard: Int64 = NUMBER
    soft: Int64 = NUMBER


class Resources(
    Shape,
    rename=pascal(
        blkio_device_read_iops="BlkioDeviceReadIOps",
        blkio_device_write_iops="BlkioDeviceWriteIOps",
        kernel_memory_tcp="KernelMemoryTCP",
        io_maximum_iops="IOMaximumIOps",
        io_maximum_bandwidth="IOMaximumBandwidth",
    ),
):
    """The cgroup's limits; also what `POST /containers/{id}/update` changes."""

    cpu_shares: Int64 = NUMBER
    memory: Int64 = NUMBER
    nano_cpus: Int64 = NUMBER
    cgroup_parent: str = TEXT
    blkio_weight: Uint16 = NUMBER
    blkio_weight_device: list[WeightDevice] | None = NULL
    blkio_device_read_bps: list[ThrottleDevice] | None = NULL
    blkio_device_write_bps: list[ThrottleDevice] | None = NULL
    blkio_device_read_iops: list[ThrottleDevice] | None = NULL
    blkio_device_write_iops: list[ThrottleDevice] | None = NULL
    cpu_period: Int64 = NUMBER
    cpu_quota: Int64 = NUMBER
    cpu_realtime_period: Int64 = NUMBER
    cpu_realtime_runtime: Int64 = NUMBER
    cpuset_cpus: str = TEXT
    cpuset_mems: str = TEXT
    devices: list[DeviceMapping] | None = NULL
    device_cgroup_rules: list[str] | None = NULL
    device_requests: list[DeviceRequest] | None = NULL
    kernel_memory: Int64 = 0
    kernel_memory_tcp: Int64 = 0
    memory_reservation: Int64 = NUMBER
    memory_swap: Int64 = NUMBER
    memory_swappiness: Int64 | None = NULL
    oom_kill_disable: bool | None = NULL
    pids_limit: Int64 | None = NULL
    ulimits: list[Ulimit] | None = NULL
    cpu_count: Int64 = NUMBER
    cpu_percent: Int64 = NUMBER
    io_maximum_iops: Uint64 = NUMBER
    io_maximum_bandwidth: Uint64 = NUMBER


NO_CONSOLE: Any = msgspec.field(default_factory=lambda: (0, 0))


class HostConfig(Resources, rename=pascal(container_id_file="ContainerIDFile", uts_mode="UTSMode")):
    historic = frozenset({"lxcconf", "diskquota", "initpath", "capabilities"})

    binds: list[str] | None = NULL
    container_id_file: str = TEXT
    log_config: LogConfig = msgspec.field(default_factory=LogConfig)
    network_mode: str = TEXT
    port_bindings: PortMap | None = NULL
    restart_policy: RestartPolicy = msgspec.field(default_factory=RestartPolicy)
    auto_remove: bool = FLAG
    volume_driver: str = TEXT
    volumes_from: list[str] | None = NULL
    console_size: tuple[Uint64, Uint64] = NO_CONSOLE
    annotations: dict[str, str] = MAP
    cap_add: Words | None = NULL
    cap_drop: Words | None = NULL
    cgroupns_mode: str = TEXT
    dns: list[str] | None = NULL
    dns_options: list[str] | None = NULL
    dns_search: list[str] | None = NULL
    extra_hosts: list[str] | None = NULL
    group_add: list[str] | None = NULL
    ipc_mode: str = TEXT
    cgroup: str = TEXT
    links: list[str] | None = NULL
    oom_score_adj: Int64 = NUMBER
    pid_mode: str = TEXT
    privileged: bool = FLAG
    publish_all_ports: bool = FLAG
    readonly_rootfs: bool = FLAG
    security_opt: list[str] | None = NULL
    storage_opt: dict[str, str] = MAP
    tmpfs: dict[str, str] = MAP
    uts_mode: str = TEXT
    userns_mode: str = TEXT
    shm_size: Int64 = NUMBER
    sysctls: dict[str, str] = MAP
    runtime: str = ""
    isolation: str = TEXT
    mounts: list[Mount] = LIST
    masked_paths: list[str] | None = NULL
    readonly_paths: list[str] | None = NULL
    init: bool | None = None
