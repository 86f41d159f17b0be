"""Every implementation has what the contract names, and takes the same arguments."""

import inspect

import pytest

from sampan.runtime.cgroup.contract import Cgroup
from sampan.runtime.cgroup.disabled import NoCgroup
from sampan.runtime.cgroup.systemd.driver import SystemdCgroup
from sampan.runtime.cgroup.v1 import CgroupV1
from sampan.runtime.cgroup.v2 import CgroupV2

NAMES = [name for name in vars(Cgroup) if not name.startswith("_")]


@pytest.mark.parametrize("kind", [CgroupV1, CgroupV2, NoCgroup, SystemdCgroup])
def test_it_has_every_name_with_the_same_arguments(kind: type) -> None:
    assert len(NAMES) > 15
    for name in NAMES:
        promised, kept = inspect.getattr_static(Cgroup, name), inspect.getattr_static(kind, name)
        if inspect.isfunction(promised):
            assert list(inspect.signature(kept).parameters) == list(inspect.signature(promised).parameters), name
