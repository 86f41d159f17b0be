import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sampan import __version__
from sampan.cli.system.info import client_text, server_text
from support.scripted_engine import ScriptedEngine, refuse, reply_json

Sampan = Callable[..., tuple[int, str, str]]
SERVER: dict[str, Any] = {
    "Containers": 3,
    "ContainersRunning": 1,
    "ContainersStopped": 2,
    "Images": 4,
    "ServerVersion": "9.9",
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "extfs"]],
    "OSType": "linux",
    "NCPU": 2,
    "MemTotal": 2 << 30,
    "Name": "host",
    "Warnings": ["WARNING: No swap limit support"],
}


def test_both_sides_are_shown_and_warnings_go_to_stderr(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: reply_json(SERVER)) as engine:
        code, out, err = sampan("-H", engine.url, "info")
    assert (code, err) == (0, "WARNING: No swap limit support\n")
    assert out == client_text(is_debug=False) + "\n" + server_text(SERVER)


def test_the_client_says_its_version() -> None:
    assert client_text(is_debug=True).splitlines()[1:] == [
        f" Version:    {__version__}",
        " Context:    default",
        " Debug Mode: true",
    ]


def test_without_an_engine_our_side_is_shown_and_the_failure_told(sampan: Sampan) -> None:
    code, out, err = sampan("info")
    assert code == 1
    assert out.endswith("\n\nServer:\n")
    assert "/nonexistent/engine.sock" in err


def test_an_engine_that_refuses_is_told(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: refuse(500, "out of order")) as engine:
        code, _, err = sampan("-H", engine.url, "system", "info")
    assert code == 1
    assert "Error response from daemon: out of order" in err


def test_a_format_sees_the_engine_and_the_client_and_no_warnings_are_added(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: reply_json(SERVER)) as engine:
        out = sampan("-H", engine.url, "info", "-f", "{{.Images}} {{.ClientInfo.Context}}")
        assert out == (0, "4 default\n", "")
        found = json.loads(sampan("-H", engine.url, "info", "-f", "json")[1])
    assert (found["ServerVersion"], found["ClientInfo"]["Version"]) == ("9.9", __version__)


def test_the_counts_and_the_storage_driver_lead() -> None:
    assert server_text(SERVER).splitlines()[:8] == [
        "Server:",
        " Containers: 3",
        "  Running: 1",
        "  Paused: 0",
        "  Stopped: 2",
        " Images: 4",
        " Server Version: 9.9",
        " Storage Driver: overlay2",
    ]


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        ({"DriverStatus": [["a", "b"]]}, ["  a: b"]),
        (
            {"Plugins": {"Volume": ["local"], "Network": ["bridge", "host"], "Log": None}},
            [" Plugins:", "  Volume: local", "  Network: bridge host", " Swarm: inactive"],
        ),
        ({"Plugins": {"Log": ["json-file"]}}, [" Plugins:", "  Volume: ", "  Network: ", "  Log: json-file"]),
        ({"CDISpecDirs": ["/etc/cdi"]}, [" CDI spec directories:", "  /etc/cdi"]),
        ({"Swarm": {"LocalNodeState": "active"}}, [" Swarm: active"]),
        ({"Runtimes": {"z": {}, "a": {}}, "DefaultRuntime": "a"}, [" Runtimes: a z", " Default Runtime: a"]),
        (
            {"OSType": "linux", "InitBinary": "tini", "RuncCommit": {"ID": "1.1"}},
            [" Init Binary: tini", " runc version: 1.1"],
        ),
        (
            {"SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"]},
            [" Security Options:", "  seccomp", "   Profile: builtin", "  cgroupns"],
        ),
        ({"MemTotal": 2 << 30}, [" Total Memory: 2GiB"]),
        ({"HttpProxy": "http://p"}, [" HTTP Proxy: http://p"]),
        ({"Labels": ["a=b"]}, [" Labels:", "  a=b", " Experimental: false"]),
        (
            {
                "RegistryConfig": {
                    "IndexConfigs": {"safe": {"Secure": True}, "h:5000": {"Secure": False}},
                    "InsecureRegistryCIDRs": ["127.0.0.0/8"],
                    "Mirrors": ["https://m/"],
                }
            },
            [" Insecure Registries:", "  h:5000", "  127.0.0.0/8", " Registry Mirrors:", "  https://m/"],
        ),
        ({"LiveRestoreEnabled": True}, [" Live Restore Enabled: true"]),
        (
            {"DefaultAddressPools": [{"Base": "10.0.0.0/8", "Size": 24}]},
            [" Default Address Pools:", "   Base: 10.0.0.0/8, Size: 24"],
        ),
    ],
)
def test_what_the_engine_tells_is_shown_as_docker_shows_it(found: dict[str, Any], lines: list[str]) -> None:
    shown = server_text(found).splitlines()
    at = shown.index(lines[0])
    assert shown[at : at + len(lines)] == lines


@pytest.mark.parametrize(
    "heading", ["Proxy", "Labels", "Registry", "Registries", "Security", "Runtime", "License", "Pools", "CDI"]
)
def test_blocks_without_content_are_left_out(heading: str) -> None:
    assert heading not in server_text({})
