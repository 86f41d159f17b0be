import os

import pytest

from sampan.base import jsontext
from sampan.linux.mount import Mount
from sampan.runtime import message, rehearsal
from sampan.runtime.request import InitOrders, LaunchRequest
from support import children


def example(exec_dir: str) -> str:
    """What a first process is told."""
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
    return request.init_part()


def test_a_rehearsal_changes_nothing_and_keeps_no_descriptor(tmp_path: object) -> None:
    def life() -> None:
        before, place = os.listdir("/proc/self/fd"), os.getcwd()
        rehearsal._as_init(InitOrders(jsontext.loads(text)))  # not the guarded one: it must get to its end
        rehearsal.as_init(message.in_memory(text.encode()))
        assert os.listdir("/proc/self/fd") == before and os.getcwd() == place

    text = example(f"{tmp_path}/exec")
    assert children.code_of(life) == 0
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("text", [b"", b"nonsense", b"{}", b"5", b'{"id": 5, "spec": 5}'])
def test_an_example_that_makes_no_sense_is_no_error(text: bytes) -> None:
    assert children.code_of(lambda: rehearsal.as_init(message.in_memory(text))) == 0


def test_without_an_example_there_is_nothing_to_rehearse() -> None:
    assert children.code_of(lambda: rehearsal.as_init(-1)) == 0
