import os

import pytest

from sampan.base import jsontext
from sampan.linux.mount import Mount
from sampan.runtime import rehearsal
from sampan.runtime.request import LaunchRequest
from support import children


def example(exec_dir: str) -> bytes:
    """The packet of a launch, as a shim gets it."""
    spec = {
        "process": {"args": ["sh"], "env": ["PATH=/bin"], "capabilities": {"bounding": ["CAP_KILL"]}},
        "mounts": [{"type": "proc", "source": "proc", "destination": "/proc", "options": ["ro"]}],
        "linux": {
            "cgroupsPath": "/sampan-unit/c1",
            "namespaces": [{"type": "pid"}],
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        },
    }
    request = LaunchRequest(
        id="c1",
        spec=spec,
        rootfs=[Mount("overlay", "overlay", "", ["lowerdir=a:b"])],
        exec_dir=exec_dir,
        exit_path=f"{exec_dir}.json",
        log={"driver": "none"},
    )
    body = {"shim": request.shim_part(), "init": request.init_part(), "namespaces": [], "attaches": []}
    return b"J" + jsontext.dumps(body).encode()


def test_a_rehearsal_changes_nothing_and_keeps_no_descriptor(tmp_path: object) -> None:
    def life() -> None:
        before, place = os.listdir("/proc/self/fd"), os.getcwd()
        rehearsal._as_init(rehearsal_orders(packet))  # not the guarded one: it must get to its end
        rehearsal.as_init(packet)
        assert os.listdir("/proc/self/fd") == before and os.getcwd() == place

    packet = example(f"{tmp_path}/exec")
    assert children.code_of(life) == 0
    assert os.listdir(str(tmp_path)) == []


def rehearsal_orders(packet: bytes) -> "rehearsal.InitOrders":
    body = rehearsal.message.decode(packet, [])
    return rehearsal.InitOrders(jsontext.loads(str(body["init"])))


@pytest.mark.parametrize("packet", [b"", b"J", b"Jnonsense", b"J{}", b"M", b'J{"init": 5, "shim": 5}'])
def test_an_example_that_makes_no_sense_is_no_error(packet: bytes) -> None:
    assert children.code_of(lambda: rehearsal.as_init(packet)) == 0
