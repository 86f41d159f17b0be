"""The facts about a machine are found without help."""

import os
from pathlib import Path

import pytest

from sampan.engine import host
from sampan.engine.host import HostFacts, probe
from sampan.errors import InvalidArgument


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


def test_the_daemons_profile_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("{}")
    own = probe(seccomp_profile=f"{tmp_path}/profile")
    assert (own.seccomp_profile, own.seccomp_text) == (f"{tmp_path}/profile", "{}")
    assert [probe(seccomp_profile=name).seccomp_profile for name in ("", "builtin", "unconfined")] == [
        "builtin",
        "builtin",
        "unconfined",
    ]
    with pytest.raises(InvalidArgument, match=r"opening seccomp profile \(/no/such\) failed: open /no/such: no such"):
        probe(seccomp_profile="/no/such")


def test_machine_and_kernel_are_this_ones() -> None:
    facts = probe()
    assert facts.machine == os.uname().machine
    assert facts.kernel >= (5, 0)
