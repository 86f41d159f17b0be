from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command.filters import FAIL_UNKNOWN, seccomp_filter

ALLOW: dict[str, Any] = {"defaultAction": "SCMP_ACT_ALLOW"}
NOTIFY = {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}
UNKNOWN = {"names": ["mkdir", "fly_to_the_moon"], "action": "SCMP_ACT_ERRNO"}


def spec(seccomp: "dict[str, Any] | None", **annotations: str) -> dict[str, Any]:
    return {"linux": {"seccomp": seccomp}, "annotations": annotations}


@pytest.mark.parametrize("config", [{}, {"linux": {}}, spec(None)])
def test_a_config_without_a_profile_has_no_filter(config: dict[str, Any]) -> None:
    assert seccomp_filter(config) is None


def test_a_profile_becomes_a_program() -> None:
    group = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}
    found = seccomp_filter(spec(ALLOW | {"syscalls": [group]}))
    assert found is not None and found.listener is None
    assert found.program and len(found.program) % 8 == 0


def test_who_asks_for_notifications_has_to_say_who_gets_them() -> None:
    with pytest.raises(InvalidArgument, match="needs a listenerPath"):
        seccomp_filter(spec(ALLOW | {"syscalls": [NOTIFY]}))
    agent = {"listenerPath": "/run/agent", "listenerMetadata": "for it"}
    found = seccomp_filter(spec(ALLOW | agent | {"syscalls": [NOTIFY]}))
    assert found is not None and found.listener == {"path": "/run/agent", "metadata": "for it"}


def test_names_that_nobody_knows_are_an_error_only_where_the_annotation_says_so() -> None:
    profile = ALLOW | {"syscalls": [UNKNOWN]}
    assert seccomp_filter(spec(profile)) is not None
    assert seccomp_filter(spec(profile, **{FAIL_UNKNOWN: "0"})) is not None
    with pytest.raises(InvalidArgument, match="unknown system call fly_to_the_moon"):
        seccomp_filter(spec(profile, **{FAIL_UNKNOWN: "1"}))
