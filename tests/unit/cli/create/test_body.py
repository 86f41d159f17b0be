"""Bodies as docker 28's own command line sends them, without the fields that hold their zero value."""

import re
from pathlib import Path
from typing import Any

import pytest

from sampan.cli.container.run import COMMAND
from sampan.cli.create import body
from sampan.cli.flags import parse
from sampan.errors import InvalidArgument


def made(*words: str) -> dict[str, Any]:
    return body.create_body(parse(COMMAND.flags, words, stops_at_argument=True))


PLAIN = {
    "Image": "img",
    "AttachStdin": False,
    "AttachStdout": True,
    "AttachStderr": True,
    "HostConfig": {"NetworkMode": "default"},
}


def test_an_image_alone_makes_a_small_body() -> None:
    assert made("img") == PLAIN


def test_every_flag_has_its_place() -> None:
    names = {row[0] for row in COMMAND.flags}
    assert names == set(body.CONFIG) | set(body.HOST) | body.OTHER


@pytest.mark.parametrize(
    ("words", "streams"),
    [
        (["-i"], (True, True, True, True)),
        (["-d", "-i"], (False, False, False, False)),
        (["-a", "stdout"], (False, True, False, False)),
        (["-i", "-a", "STDIN"], (True, False, False, True)),
        (["-a", "stdin"], (True, False, False, False)),
    ],
)
def test_streams_are_attached_as_docker_does(words: list[str], streams: tuple[bool, ...]) -> None:
    found = made(*words, "img")
    assert (
        tuple(found.get(key, False) for key in ("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce")) == streams
    )


@pytest.mark.parametrize(
    ("words", "config"),
    [
        ("img sh -c x", {"Cmd": ["sh", "-c", "x"]}),
        ("--entrypoint e img x", {"Entrypoint": ["e"], "Cmd": ["x"]}),
        ("--entrypoint= img", {"Entrypoint": [""]}),
        ("-h=foo -eA=1 -e=B=2 -- img -x", {"Hostname": "foo", "Env": ["A=1", "B=2"], "Cmd": ["-x"]}),
        ("-l a=b -l c img", {"Labels": {"a": "b", "c": ""}}),
        ("-u 1:2 -w /w --domainname d -t img", {"User": "1:2", "WorkingDir": "/w", "Domainname": "d", "Tty": True}),
        ("--stop-signal INT --stop-timeout 0 img", {"StopSignal": "INT", "StopTimeout": 0}),
        ("--expose 1-2 --expose 5/udp img", {"ExposedPorts": {"1/tcp": {}, "2/tcp": {}, "5/udp": {}}}),
        ("-v /anon img", {"Volumes": {"/anon": {}}}),
        ("--no-healthcheck img", {"Healthcheck": {"Test": ["NONE"]}}),
        (
            "--health-cmd x --health-interval 5s --health-retries 3 img",
            {"Healthcheck": {"Test": ["CMD-SHELL", "x"], "Interval": 5 * 10**9, "Retries": 3}},
        ),
    ],
)
def test_flags_about_the_process_go_into_the_config(words: str, config: dict[str, Any]) -> None:
    assert made(*words.split()) == PLAIN | config


@pytest.mark.parametrize(
    ("words", "host"),
    [
        (
            "-m 64m --memory-swap -1 --memory-swappiness 10",
            {"Memory": 64 << 20, "MemorySwap": -1, "MemorySwappiness": 10},
        ),
        ("--cpus 1.5 -c 5 --cpuset-cpus 0", {"NanoCpus": 15 * 10**8, "CpuShares": 5, "CpusetCpus": "0"}),
        ("--pids-limit -1 --oom-score-adj 100", {"PidsLimit": -1, "OomScoreAdj": 100}),
        ("--rm=false --init=false", {"AutoRemove": False, "Init": False}),
        ("--privileged --read-only --rm", {"Privileged": True, "ReadonlyRootfs": True, "AutoRemove": True}),
        (
            "--cap-add SYS_ADMIN --cap-add net_raw --cap-drop ALL",
            {"CapAdd": ["CAP_NET_RAW", "CAP_SYS_ADMIN"], "CapDrop": ["ALL"]},
        ),
        ("--ulimit nofile=1:2", {"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}]}),
        ("--restart on-failure:3", {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}),
        ("--security-opt no-new-privileges", {"SecurityOpt": ["no-new-privileges"]}),
        ("--security-opt systempaths=unconfined", {"MaskedPaths": [], "ReadonlyPaths": []}),
        ("--tmpfs /x --tmpfs /y:size=1m,mode=700", {"Tmpfs": {"/x": "", "/y": "size=1m,mode=700"}}),
        ("--log-driver local --log-opt a=b", {"LogConfig": {"Type": "local", "Config": {"a": "b"}}}),
        ("--add-host a:1.2.3.4 --add-host b=::1", {"ExtraHosts": ["a:1.2.3.4", "b:::1"]}),
        ("--dns 1.1.1.1 --dns-opt x --dns-search a.b", {"Dns": ["1.1.1.1"], "DnsOptions": ["x"], "DnsSearch": ["a.b"]}),
        (
            "--device vendor.com/class=name",
            {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["vendor.com/class=name"]}]},
        ),
        (
            "--device /dev/a:/dev/b:r",
            {"Devices": [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}]},
        ),
        ("--pid container:x --ipc host --uts host", {"PidMode": "container:x", "IpcMode": "host", "UTSMode": "host"}),
        ("--annotation a=b --sysctl net.a=1", {"Annotations": {"a": "b"}, "Sysctls": {"net.a": "1"}}),
        ("-v /a:/b:ro -v vol:/c", {"Binds": ["/a:/b:ro", "vol:/c"]}),
        ("--storage-opt size=1G --shm-size 1g", {"StorageOpt": {"size": "1G"}, "ShmSize": 1 << 30}),
    ],
)
def test_flags_about_the_host_go_into_the_host_config(words: str, host: dict[str, Any]) -> None:
    assert made(*words.split(), "img")["HostConfig"] == {"NetworkMode": "default"} | host


def test_a_seccomp_profile_is_sent_as_text(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text('{ "defaultAction":\n "SCMP_ACT_ALLOW" }')
    found = made("--security-opt", f"seccomp={tmp_path}/profile", "img")["HostConfig"]["SecurityOpt"]
    assert found == ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']


def test_a_relative_bind_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert made("-v", "./x:/r", "img")["HostConfig"]["Binds"] == [f"{tmp_path}/x:/r"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--restart always --rm", "conflicting options: cannot specify both --restart and --rm"),
        ("--restart foo:x", "invalid restart policy format: maximum retry count must be an integer"),
        ("--pid foo", "--pid: invalid PID mode"),
        ("--cgroupns foo", "--cgroupns: invalid CGROUP mode"),
        ("--memory-swappiness 200", "invalid value: 200. Valid memory swappiness range is 0-100"),
        ("--security-opt foo", 'Invalid --security-opt: "foo"'),
        ("--device /dev/a:b", "b is not an absolute path"),
        ("--device a:b:c:d", "bad format for path: a:b:c:d"),
        ("--device /dev/a:/dev/b:x", "bad mode specified: x"),
        ("--log-driver none --log-opt a=b", "invalid logging opts for driver none"),
        ("--health-cmd x --no-healthcheck", "--no-healthcheck conflicts with --health-* options"),
        ("--health-interval -1s", "--health-interval cannot be negative"),
        ("--use-api-socket", "--use-api-socket is not supported"),
    ],
)
def test_values_that_make_no_sense_are_refused_in_dockers_words(words: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{re.escape(message)}$"):
        made(*words.split(), "img")
