"""The facts about a machine are found without help."""

import os

from sampan.engine import host
from sampan.engine.host import HostFacts, probe


def test_this_machine_can_be_probed() -> None:
    facts = probe(cgroup_parent="/here")
    assert facts.hostname == os.uname().nodename
    assert facts.cgroup_version in (1, 2)
    assert facts.cgroup_parent == "/here"


def test_kernel_releases_are_compared_as_numbers() -> None:
    assert host._release("5.9.0-rc1") < (5, 12) < host._release("6.18.44-custom")
    assert host._release("5.12+") == (5, 12)


def test_a_cgroup_namespace_is_the_default_of_version_two() -> None:
    assert HostFacts(hostname="x", cgroup_version=1).cgroupns_mode == "private"
    assert HostFacts(hostname="x", cgroup_version=2).cgroupns_mode == "private"
