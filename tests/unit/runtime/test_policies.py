from typing import Any

import pytest

from sampan.linux import scheduling as s
from sampan.runtime import policies
from sampan.runtime.restrict import StageError


def test_the_words_of_the_config_become_the_kernels_numbers() -> None:
    assert policies.io_priority({"class": "IOPRIO_CLASS_BE", "priority": 4}) == (s.IOPRIO_CLASS_BE, 4)
    assert policies.io_priority({"class": "IOPRIO_CLASS_IDLE"}) == (s.IOPRIO_CLASS_IDLE, 0)
    memory = {"mode": "MPOL_BIND", "nodes": "0,2", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_NUMA_BALANCING"]}
    mode, mask = policies.memory_policy(memory)
    assert mode == s.MPOL_BIND | s.MPOL_F_STATIC_NODES | s.MPOL_F_NUMA_BALANCING
    assert mask == b"\5" + bytes(7)
    assert policies.memory_policy({"mode": "MPOL_PREFERRED"}) == (s.MPOL_PREFERRED, b"")
    assert policies.persona_of({"domain": "LINUX32"}) == s.PER_LINUX32


@pytest.mark.parametrize(
    ("memory", "reason"),
    [
        ({}, 'invalid memory policy mode ""'),
        ({"nodes": "0-7"}, 'invalid memory policy mode ""'),
        ({"mode": "INTERLEAVE", "nodes": "0"}, 'invalid memory policy mode "INTERLEAVE"'),
        ({"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["badflag"]}, 'invalid memory policy flag "badflag"'),
        ({"mode": "MPOL_BIND", "nodes": "0-9876543210"}, 'invalid memory policy nodes "0-9876543210": '),
        ({"mode": "MPOL_PREFERRED", "nodes": "bad"}, 'invalid memory policy nodes "bad": '),
        ({"mode": "MPOL_DEFAULT", "nodes": "0-7"}, "memory policy mode requires 0 nodes but got 8"),
        ({"mode": "MPOL_INTERLEAVE"}, "memory policy mode requires at least one node but got 0"),
    ],
)
def test_a_memory_policy_that_cannot_be_meant_is_refused(memory: dict[str, Any], reason: str) -> None:
    with pytest.raises(StageError) as caught:
        policies.check(None, memory, None)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("io", "reason"),
    [
        ({"class": "IOPRIO_CLASS_BE", "priority": 8}, "invalid ioPriority.Priority: 8"),
        ({"class": "IOPRIO_CLASS_BE", "priority": -1}, "invalid ioPriority.Priority: -1"),
        ({"class": "IOPRIO_CLASS_NONE"}, 'invalid ioPriority.Class: "IOPRIO_CLASS_NONE"'),
        ({}, 'invalid ioPriority.Class: ""'),
    ],
)
def test_an_io_priority_that_cannot_be_meant_is_refused(io: dict[str, Any], reason: str) -> None:
    with pytest.raises(StageError) as caught:
        policies.check(io, None, None)
    assert str(caught.value) == reason


def test_a_foreign_personality_is_refused_and_flags_only_warned_of() -> None:
    with pytest.raises(StageError, match="invalid personality domain BSD"):
        policies.check(None, None, {"domain": "BSD"})
    assert policies.check(None, None, {"domain": "LINUX", "flags": []}) == []
    [warning] = policies.check(None, None, {"domain": "LINUX", "flags": ["X"]})
    assert "ignoring unsupported personality flags" in warning
