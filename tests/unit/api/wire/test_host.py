import json

import pytest

from sampan import errors
from sampan.api.wire.gojson import decode, encode
from sampan.api.wire.host import DeviceMapping, DeviceRequest, HostConfig, LogConfig, RestartPolicy, ThrottleDevice
from sampan.api.wire.mount import Mount
from sampan.api.wire.network import PortBinding


def test_a_host_config_survives_both_ways() -> None:
    host = HostConfig(
        binds=["/a:/b:ro"],
        memory=6 << 20,
        nano_cpus=500_000_000,
        cap_add=["NET_ADMIN"],
        devices=[DeviceMapping(path_on_host="/dev/null", path_in_container="/dev/x", cgroup_permissions="rwm")],
        log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
        mounts=[Mount(type="bind", source="/a", target="/b", read_only=True)],
        port_bindings={"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port="8080")], "81/udp": None},
        restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=3),
        tmpfs={"/t": "size=1m"},
        init=True,
        pids_limit=-1,
    )
    assert decode(encode(host), HostConfig) == host


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"BlkioWeight":65536}', "BlkioWeight"),
        (b'{"BlkioWeight":-1}', "BlkioWeight"),
        (b'{"Memory":9223372036854775808}', "Memory"),
        (b'{"CpuShares":"5"}', "CpuShares"),
        (b'{"BlkioDeviceReadBps":[{"Path":"/dev/a","Rate":-1}]}', "BlkioDeviceReadBps"),
        (b'{"ConsoleSize":[-1,0]}', "ConsoleSize"),
    ],
)
def test_numbers_outside_of_gos_types_are_refused(body: bytes, field: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=field):
        decode(body, HostConfig)


def test_names_with_capitals_of_their_own_are_spelled_as_docker_does() -> None:
    written = json.loads(encode(HostConfig()))
    for name in ("NanoCpus", "CpusetMems", "OomKillDisable", "IpcMode", "UTSMode", "CgroupnsMode", "ShmSize", "Dns"):
        assert name in written
    request = json.loads(encode(DeviceRequest(device_ids=["0"], count=-1)))
    assert (request["DeviceIDs"], request["Count"], request["Capabilities"]) == (["0"], -1, None)
    assert json.loads(encode(ThrottleDevice(path="/dev/a", rate=5))) == {"Path": "/dev/a", "Rate": 5}


def test_unset_and_false_differ_where_docker_has_a_pointer() -> None:
    assert decode(b'{"Init":false,"OomKillDisable":false}', HostConfig).init is False
    assert decode(b'{"Init":null}', HostConfig).init is None
    assert decode(b'{"PidsLimit":0}', HostConfig).pids_limit == 0
