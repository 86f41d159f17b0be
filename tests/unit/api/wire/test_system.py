import json

from sampan.api.wire.gojson import encode
from sampan.api.wire.system import (
    Component,
    ErrorResponse,
    FirewallBackend,
    IndexInfo,
    Info,
    PlatformName,
    RegistryConfig,
    Runtime,
    Version,
)


def test_an_error_has_a_message_in_small_letters() -> None:
    assert encode(ErrorResponse(message="m")) == b'{"message":"m"}'


def test_a_version_spells_its_names_as_docker_does() -> None:
    version = Version(
        platform=PlatformName(name="p"),
        components=[Component(name="Engine", version="1", details={"Os": "linux"})],
        version="1",
        api_version="1.51",
        min_api_version="1.24",
        os="linux",
        arch="amd64",
    )
    assert json.loads(encode(version)) == {
        "Platform": {"Name": "p"},
        "Components": [{"Name": "Engine", "Version": "1", "Details": {"Os": "linux"}}],
        "Version": "1",
        "ApiVersion": "1.51",
        "MinAPIVersion": "1.24",
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": "amd64",
    }


def test_an_info_spells_its_names_as_docker_does() -> None:
    written = json.loads(encode(Info()))
    names = "ID CPUShares CPUSet IPv4Forwarding NFd NGoroutines NEventsListener OSVersion OSType NCPU CDISpecDirs"
    for name in [*names.split(), "CpuCfsPeriod", "MemTotal", "OomKillDisable", "DockerRootDir", "HttpProxy"]:
        assert name in written
    for name in ("KernelMemory", "KernelMemoryTCP", "CgroupVersion", "FirewallBackend", "Containerd"):
        assert name not in written
    assert written["Swarm"]["LocalNodeState"] == "inactive"
    assert written["Plugins"] == {"Volume": [], "Network": [], "Authorization": None, "Log": []}
    assert (written["Warnings"], written["RegistryConfig"]) == (None, None)


def test_pairs_are_lists_of_two() -> None:
    info = Info(
        driver_status=[("Backing Filesystem", "extfs")],
        firewall_backend=FirewallBackend(driver="nftables", info=[("a", "b")]),
        runtimes={"sampan": Runtime(path="sampan-runtime", runtime_args=["x"])},
        registry_config=RegistryConfig(index_configs={"docker.io": IndexInfo(name="docker.io", official=True)}),
    )
    written = json.loads(encode(info))
    assert written["DriverStatus"] == [["Backing Filesystem", "extfs"]]
    assert written["FirewallBackend"] == {"Driver": "nftables", "Info": [["a", "b"]]}
    assert written["Runtimes"] == {"sampan": {"path": "sampan-runtime", "runtimeArgs": ["x"]}}
    assert written["RegistryConfig"]["InsecureRegistryCIDRs"] == []
    assert written["RegistryConfig"]["IndexConfigs"]["docker.io"]["Official"] is True
