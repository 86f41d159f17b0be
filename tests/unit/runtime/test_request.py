from typing import Any

from sampan.base import jsontext
from sampan.linux.constants import CLONE_NEWPID
from sampan.linux.mount import Mount
from sampan.runtime.request import AttachStream, ExitRecord, InitOrders, LaunchRequest, ShimOrders


def test_a_launch_request_survives_the_way_through_json() -> None:
    request = LaunchRequest(
        id="a",
        spec={
            "process": {"args": ["x"]},
            "linux": {
                "cgroupsPath": "/sampan/a",
                "namespaces": [{"type": "pid"}, {"type": "network", "path": "/x"}],
                "resources": {"pids": {"limit": 5}},
            },
        },
        rootfs=[Mount("overlay", "overlay", "", ["lowerdir=b"])],
        user="bob",
        groups=["audio"],
        tty=True,
        exec_dir="/run/x",
        exit_path="/var/x",
        log={"driver": "none"},
    )
    shim = ShimOrders(jsontext.loads(jsontext.dumps(request.shim_part())))
    assert (shim.id, shim.tty, shim.exec_dir, shim.cgroup_path) == ("a", True, "/run/x", "/sampan/a")
    assert shim.birth_flags == CLONE_NEWPID
    init = InitOrders(jsontext.loads(request.init_part()))
    assert (init.user, init.groups, init.rootfs) == ("bob", ["audio"], request.rootfs)
    assert init.spec["process"] == {"args": ["x"]} and init.spec["linux"]["resources"] == {"pids": {"limit": 5}}


def test_a_stream_keeps_every_byte_of_its_keys_and_first_input() -> None:
    every = bytes(range(256))
    stream = AttachStream(5, stdin=True, stdout=True, stderr=False, framed=True, detach_keys=b"\x10\x11", initial=every)
    again = AttachStream.from_json(7, stream.to_json())
    assert (again.fd, again.initial, again.detach_keys, again.stderr) == (7, every, b"\x10\x11", False)


def test_an_exit_record_survives_the_way_through_json() -> None:
    record = ExitRecord(exit_code=3, oom_killed=True, started_at_ns=1, finished_at_ns=2, error="e")
    assert ExitRecord.from_json(record.to_json()).to_json() == record.to_json()


def shim_part(linux: dict[str, Any]) -> ShimOrders:
    request = LaunchRequest(
        id="a", spec={"linux": {"cgroupsPath": "/a", **linux}}, rootfs=[], exec_dir="/x", exit_path="/y", log={}
    )
    return ShimOrders(jsontext.loads(jsontext.dumps(request.shim_part())))


def test_the_streams_of_a_container_in_a_user_namespace_are_its_roots() -> None:
    user = [{"type": "user"}]
    ids = {"uidMappings": [{"containerID": 0, "hostID": 7, "size": 1}]}
    assert shim_part({"namespaces": user, **ids, "gidMappings": ids["uidMappings"]}).stdio_owner == [7, 7]
    assert shim_part({"namespaces": user, **ids}).stdio_owner is None  # no group to give them to
    assert shim_part({"namespaces": []}).stdio_owner is None


def test_a_first_process_is_told_which_namespaces_it_is_given() -> None:
    request = LaunchRequest(id="a", spec={}, rootfs=[], exec_dir="/x", exit_path="/y", log={})
    assert InitOrders(jsontext.loads(request.init_part(["network", "user"]))).namespaces == ["network", "user"]
    assert InitOrders(jsontext.loads(request.init_part())).namespaces == []
