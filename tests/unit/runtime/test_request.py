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
