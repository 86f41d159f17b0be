"""What the engine says about itself has Docker's fields and this machine's values."""

import json
import os
from pathlib import Path

from sampan import __version__
from sampan.api.wire.gojson import encode
from sampan.engine.eventlog import EventLog
from sampan.engine.host import HostFacts
from sampan.engine.system import Counts, System, events, info, version


def system(tmp_path: Path, **facts: int) -> System:
    return System(
        id="an-id",
        facts=HostFacts(hostname="vm", **facts),  # type: ignore[arg-type]
        data_root=str(tmp_path),
        events=EventLog(),
        counts=lambda: Counts(running=2, paused=1, stopped=3, images=4),
    )


def test_version_has_what_clients_negotiate_by(tmp_path: Path) -> None:
    found = json.loads(encode(version(system(tmp_path))))
    assert (found["ApiVersion"], found["MinAPIVersion"], found["Version"]) == ("1.51", "1.24", __version__)
    assert found["Components"][0]["Name"] == "Engine"
    assert found["Components"][0]["Details"]["ApiVersion"] == "1.51"


def test_info_counts_and_describes(tmp_path: Path) -> None:
    found = json.loads(encode(info(system(tmp_path))))
    assert [found[key] for key in ("Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped")] == [
        6,
        2,
        1,
        3,
    ]
    assert found["Images"] == 4
    assert found["DockerRootDir"] == str(tmp_path)
    assert found["KernelVersion"] == os.uname().release
    assert found["MemTotal"] > 1 << 26
    assert found["Name"] == os.uname().nodename
    assert dict(found["DriverStatus"])["Backing Filesystem"] != "unknown"
    assert found["DefaultRuntime"] in found["Runtimes"]


def test_info_has_dockers_fields(tmp_path: Path) -> None:
    # What GET /info of Docker 28.5 always has, but for its own containerd.
    expected = (
        "ID Containers ContainersRunning ContainersPaused ContainersStopped Images Driver DriverStatus Plugins"
        " MemoryLimit SwapLimit CpuCfsPeriod CpuCfsQuota CPUShares CPUSet PidsLimit IPv4Forwarding Debug NFd"
        " OomKillDisable NGoroutines SystemTime LoggingDriver CgroupDriver CgroupVersion NEventsListener KernelVersion"
        " OperatingSystem OSVersion OSType Architecture IndexServerAddress RegistryConfig NCPU MemTotal"
        " GenericResources DockerRootDir HttpProxy HttpsProxy NoProxy Name Labels ExperimentalBuild ServerVersion"
        " Runtimes DefaultRuntime Swarm LiveRestoreEnabled Isolation InitBinary ContainerdCommit RuncCommit InitCommit"
        " SecurityOptions CDISpecDirs Warnings"
    ).split()
    assert set(expected) <= json.loads(encode(info(system(tmp_path)))).keys()


def test_version_two_is_told_by_its_namespace(tmp_path: Path) -> None:
    assert info(system(tmp_path, cgroup_version=2)).security_options == ["name=cgroupns"]


def test_events_subscribe_at_once(tmp_path: Path) -> None:
    deps = system(tmp_path)
    stream = events(deps, since_ns=None, until_ns=None, filters={})
    assert deps.events.listeners == 1
    stream.close()
    assert deps.events.listeners == 0
