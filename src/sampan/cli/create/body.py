"""From the flags of `run` and `create` to the body of POST /containers/create.

Layout      CONFIG and HOST say for each plain flag which field takes its value; a function below makes each field that
            needs more. A field is sent only when its flag was given: the engine's default stands for the rest.
Errors      InvalidArgument, in docker's words.
Spec        Engine API v1.51, ContainerCreate.
"""

from __future__ import annotations

from sampan.cli.create import envfile, mounts, networks, ports, values
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.flags import Parsed

CONFIG = {
    "domainname": "Domainname",
    "hostname": "Hostname",
    "interactive": "OpenStdin",
    "stop-signal": "StopSignal",
    "stop-timeout": "StopTimeout",
    "tty": "Tty",
    "user": "User",
    "workdir": "WorkingDir",
}
HOST = {
    "add-host": "ExtraHosts",
    "annotation": "Annotations",
    "blkio-weight": "BlkioWeight",
    "blkio-weight-device": "BlkioWeightDevice",
    "cgroup-parent": "CgroupParent",
    "cgroupns": "CgroupnsMode",
    "cidfile": "ContainerIDFile",
    "cpu-period": "CpuPeriod",
    "cpu-quota": "CpuQuota",
    "cpu-rt-period": "CpuRealtimePeriod",
    "cpu-rt-runtime": "CpuRealtimeRuntime",
    "cpu-shares": "CpuShares",
    "cpus": "NanoCpus",
    "cpuset-cpus": "CpusetCpus",
    "cpuset-mems": "CpusetMems",
    "device-cgroup-rule": "DeviceCgroupRules",
    "device-read-bps": "BlkioDeviceReadBps",
    "device-read-iops": "BlkioDeviceReadIOps",
    "device-write-bps": "BlkioDeviceWriteBps",
    "device-write-iops": "BlkioDeviceWriteIOps",
    "dns": "Dns",
    "dns-option": "DnsOptions",
    "dns-search": "DnsSearch",
    "group-add": "GroupAdd",
    "init": "Init",
    "ipc": "IpcMode",
    "isolation": "Isolation",
    "kernel-memory": "KernelMemory",
    "link": "Links",
    "memory": "Memory",
    "memory-reservation": "MemoryReservation",
    "memory-swap": "MemorySwap",
    "memory-swappiness": "MemorySwappiness",
    "mount": "Mounts",
    "oom-kill-disable": "OomKillDisable",
    "oom-score-adj": "OomScoreAdj",
    "pid": "PidMode",
    "pids-limit": "PidsLimit",
    "privileged": "Privileged",
    "publish-all": "PublishAllPorts",
    "read-only": "ReadonlyRootfs",
    "rm": "AutoRemove",
    "runtime": "Runtime",
    "shm-size": "ShmSize",
    "sysctl": "Sysctls",
    "ulimit": "Ulimits",
    "userns": "UsernsMode",
    "uts": "UTSMode",
    "volume-driver": "VolumeDriver",
    "volumes-from": "VolumesFrom",
}
# What the other functions of this module and the commands themselves take care of.
OTHER = frozenset(
    "attach cap-add cap-drop detach detach-keys device disable-content-trust entrypoint env env-file expose gpus "
    "health-cmd health-interval health-retries health-start-interval health-start-period health-timeout help ip "
    "ip6 label label-file link-local-ip log-driver log-opt mac-address name network network-alias no-healthcheck "
    "platform publish pull quiet restart security-opt sig-proxy storage-opt tmpfs use-api-socket volume".split()
)


def create_body(parsed: Parsed) -> dict[str, Any]:
    """The body; `parsed.arguments` is the image and the command."""
    _check(parsed)
    image, *command = parsed.arguments
    config: dict[str, Any] = {"Image": image}
    if command:
        config["Cmd"] = command
    for flag, field in CONFIG.items():
        if flag in parsed.changed:
            config[field] = parsed[flag]
    _set_streams(config, parsed)
    _set_process(config, parsed)
    host: dict[str, Any] = {}
    for flag, field in HOST.items():
        if flag in parsed.changed:
            host[field] = parsed[flag]
    _set_capabilities(host, parsed)
    _set_devices(host, parsed)
    _set_policies(host, parsed)
    _set_ports(config, host, parsed)
    _set_storage(config, host, parsed)
    mode, endpoints = networks.networking(parsed)
    host["NetworkMode"] = mode
    config["HostConfig"] = host
    if endpoints:
        config["NetworkingConfig"] = {"EndpointsConfig": endpoints}
    return config


def _check(parsed: Parsed) -> None:
    if parsed["use-api-socket"]:
        raise InvalidArgument("--use-api-socket is not supported")
    if "memory-swappiness" in parsed.changed and not -1 <= parsed["memory-swappiness"] <= 100:
        raise InvalidArgument(f"invalid value: {parsed['memory-swappiness']}. Valid memory swappiness range is 0-100")
    for flag, word, allowed in (
        ("pid", "PID", ("", "host")),
        ("uts", "UTS", ("", "host")),
        ("userns", "USER", ("", "host")),
        ("cgroupns", "CGROUP", ("", "host", "private")),
    ):
        value = parsed[flag]
        is_container = flag == "pid" and value.startswith("container:") and len(value) > len("container:")
        if value not in allowed and not is_container:
            raise InvalidArgument(f"--{flag}: invalid {word} mode")


def _set_streams(config: dict[str, Any], parsed: Parsed) -> None:
    attached = set(parsed["attach"])
    if not attached and not parsed.values.get("detach"):
        attached = {"stdout", "stderr"} | ({"stdin"} if parsed["interactive"] else set())
    for stream in ("stdin", "stdout", "stderr"):
        config["Attach" + stream.capitalize()] = stream in attached
    if parsed["interactive"] and "stdin" in attached:
        config["StdinOnce"] = True


def _set_process(config: dict[str, Any], parsed: Parsed) -> None:
    if "entrypoint" in parsed.changed:
        # An empty --entrypoint resets the image's, which the API spells [""].
        config["Entrypoint"] = [parsed["entrypoint"]]
    environment = envfile.read(parsed["env-file"], fills_from_environment=True) + envfile.resolve(parsed["env"])
    if environment:
        config["Env"] = environment
    labels = envfile.read(parsed["label-file"], fills_from_environment=False) + parsed["label"]
    if labels:
        config["Labels"] = {name: value for name, _, value in (label.partition("=") for label in labels)}
    health = _health(parsed)
    if health:
        config["Healthcheck"] = health


def _health(parsed: Parsed) -> dict[str, Any]:
    given = {flag for flag in parsed.changed if flag.startswith("health-")}
    if parsed["no-healthcheck"]:
        if given:
            raise InvalidArgument("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    found: dict[str, Any] = {}
    if parsed["health-cmd"]:
        found["Test"] = ["CMD-SHELL", parsed["health-cmd"]]
    for flag, field in (
        ("health-interval", "Interval"),
        ("health-timeout", "Timeout"),
        ("health-retries", "Retries"),
        ("health-start-period", "StartPeriod"),
        ("health-start-interval", "StartInterval"),
    ):
        if parsed[flag] < 0:
            raise InvalidArgument(f"--{flag} cannot be negative")
        if flag in given:
            found[field] = parsed[flag]
    return found


def _set_capabilities(host: dict[str, Any], parsed: Parsed) -> None:
    """In the kernel's spelling; ALL makes the others of its list needless, and what is added is not dropped."""
    added = {_capability(name) for name in parsed["cap-add"]}
    dropped = {_capability(name) for name in parsed["cap-drop"]} - added
    for field, names in (("CapAdd", added), ("CapDrop", dropped)):
        if names:
            host[field] = ["ALL"] if "ALL" in names else sorted(names)


def _capability(name: str) -> str:
    upper = name.strip().upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"


def _set_devices(host: dict[str, Any], parsed: Parsed) -> None:
    devices = [values.parse_device(device) for device in parsed["device"] if not values.is_cdi(device)]
    if devices:
        host["Devices"] = devices
    requests = list(parsed["gpus"])
    cdi = [device for device in parsed["device"] if values.is_cdi(device)]
    if cdi:
        requests.append({"Driver": "cdi", "DeviceIDs": cdi})
    if requests:
        host["DeviceRequests"] = requests


def _set_policies(host: dict[str, Any], parsed: Parsed) -> None:
    if "restart" in parsed.changed:
        host["RestartPolicy"] = parse_restart(parsed["restart"])
        if parsed["rm"] and host["RestartPolicy"]["Name"] not in ("", "no"):
            raise InvalidArgument("conflicting options: cannot specify both --restart and --rm")
    if parsed["log-driver"] or parsed["log-opt"]:
        if parsed["log-driver"] == "none" and parsed["log-opt"]:
            raise InvalidArgument("invalid logging opts for driver none")
        host["LogConfig"] = {"Type": parsed["log-driver"], "Config": _pairs(parsed["log-opt"])}
    if parsed["storage-opt"]:
        for option in parsed["storage-opt"]:
            if "=" not in option:
                raise InvalidArgument("invalid storage option")
        host["StorageOpt"] = _pairs(parsed["storage-opt"])
    if parsed["security-opt"]:
        from sampan.cli.create import security

        host.update(security.fields(parsed["security-opt"]))


def parse_restart(text: str) -> dict[str, Any]:
    name, colon, count = text.partition(":")
    if text and not name:
        raise InvalidArgument("invalid restart policy format: no policy provided before colon")
    if not colon:
        return {"Name": name, "MaximumRetryCount": 0}
    try:
        return {"Name": name, "MaximumRetryCount": int(count)}
    except ValueError as cause:
        raise InvalidArgument("invalid restart policy format: maximum retry count must be an integer") from cause


def _set_ports(config: dict[str, Any], host: dict[str, Any], parsed: Parsed) -> None:
    exposed, bindings = ports.publish(parsed["publish"])
    exposed |= ports.expose(parsed["expose"])
    if exposed:
        config["ExposedPorts"] = exposed
    if bindings:
        host["PortBindings"] = bindings


def _set_storage(config: dict[str, Any], host: dict[str, Any], parsed: Parsed) -> None:
    binds, anonymous = mounts.split_volumes(parsed["volume"])
    if binds:
        host["Binds"] = binds
    if anonymous:
        config["Volumes"] = anonymous
    if parsed["tmpfs"]:
        host["Tmpfs"] = mounts.tmpfs(parsed["tmpfs"])


def _pairs(texts: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (text.partition("=") for text in texts)}
