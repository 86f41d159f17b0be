"""What the engine says about itself has Docker's fields and this machine's values."""

import json
import os
from dataclasses import replace
from pathlib import Path

from sampan import __version__
from sampan.api.wire.gojson import encode
from sampan.engine.eventlog import EventLog
from sampan.engine.host import HostFacts
from sampan.engine.runtimes import Runtime, Runtimes
from sampan.engine.system import Counts, System, events, info, version


def system(tmp_path: Path, **facts: int | str) -> System:
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


def test_info_lists_the_runtimes_as_docker_does(tmp_path: Path) -> None:
    configured = {"runc": Runtime("runc"), "crun": Runtime("/usr/bin/crun", ("--debug",))}
    runtimes = Runtimes(configured, default="crun", features={"runc": "{}", "crun": ""})
    found = json.loads(encode(info(replace(system(tmp_path), runtimes=runtimes))))
    assert found["DefaultRuntime"] == "crun"
    assert found["Runtimes"] == {
        "sampan": {"path": "sampan"},
        "crun": {"path": "/usr/bin/crun", "runtimeArgs": ["--debug"]},
        "runc": {"path": "runc", "status": {"org.opencontainers.runtime-spec.features": "{}"}},
    }


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


def test_security_options_are_told_as_docker_tells_them(tmp_path: Path) -> None:
    deps = system(tmp_path, has_seccomp=True, has_apparmor=True)
    assert info(deps).security_options == ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"]
    assert "seccomp" not in str(info(deps).warnings)
    own = info(system(tmp_path, has_seccomp=True, seccomp_profile="/p.json"))
    assert own.security_options == ["name=seccomp,profile=/p.json", "name=cgroupns"]
    assert "WARNING: daemon is not using the default seccomp profile" in (own.warnings or [])


def test_events_subscribe_at_once(tmp_path: Path) -> None:
    deps = system(tmp_path)
    stream = events(deps, since_ns=None, until_ns=None, filters={})
    assert deps.events.listeners == 1
    stream.close()
    assert deps.events.listeners == 0
