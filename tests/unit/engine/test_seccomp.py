"""Which filter a container gets, and what a profile in Docker's form means for it."""

import json
from typing import Any

import pytest

from sampan.api.wire.host import HostConfig
from sampan.engine.host import HostFacts
from sampan.engine.seccomp import compiled, filter_of, seccomp_of
from sampan.errors import Internal

Json = dict[str, Any]
FACTS = HostFacts(hostname="x", has_seccomp=True, machine="x86_64", kernel=(5, 10))
CUSTOM = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}


def host(*options: str, privileged: bool = False) -> HostConfig:
    return HostConfig(security_opt=list(options) or None, privileged=privileged)


def resolved(profile: Json | str, *capabilities: str, facts: HostFacts = FACTS) -> Json | None:
    text = profile if isinstance(profile, str) else json.dumps(profile)
    return seccomp_of(host(f"seccomp={text}"), capabilities, facts)


def kept(rules: Json, *capabilities: str, facts: HostFacts = FACTS) -> bool:
    call = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", **rules}
    found = resolved({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [call]}, *capabilities, facts=facts)
    assert found is not None
    return "syscalls" in found


def test_a_container_has_the_default_profile() -> None:
    plain, named = seccomp_of(host(), [], FACTS), seccomp_of(host("seccomp=builtin"), [], FACTS)
    assert plain is named
    assert plain is not None and plain["defaultAction"] == "SCMP_ACT_ERRNO"


def test_unconfined_and_privileged_containers_have_none() -> None:
    assert seccomp_of(host("seccomp=unconfined"), [], FACTS) is None
    assert seccomp_of(host(privileged=True), [], FACTS) is None
    assert seccomp_of(host(f"seccomp={json.dumps(CUSTOM)}", privileged=True), [], FACTS) == CUSTOM
    assert seccomp_of(host("seccomp=unconfined", "seccomp=builtin"), [], FACTS) is not None


def test_the_daemons_setting_is_for_those_that_name_none() -> None:
    unconfined = HostFacts(hostname="x", has_seccomp=True, seccomp_profile="unconfined")
    assert seccomp_of(host(), [], unconfined) is None
    assert seccomp_of(host("seccomp=builtin"), [], unconfined) is not None
    own = HostFacts(hostname="x", has_seccomp=True, seccomp_profile="/p", seccomp_text=json.dumps(CUSTOM))
    assert seccomp_of(host(), [], own) == CUSTOM
    assert seccomp_of(host("seccomp=unconfined"), [], own) is None


def test_a_kernel_without_filters_runs_without_the_default_but_not_without_what_was_asked_for() -> None:
    bare = HostFacts(hostname="x", has_seccomp=False)
    assert seccomp_of(host(), [], bare) is None
    assert seccomp_of(host("seccomp=builtin"), [], bare) is None
    with pytest.raises(Internal, match="seccomp is not enabled in your kernel, cannot run a custom seccomp profile"):
        resolved(CUSTOM, facts=bare)


def test_everything_that_oci_knows_is_passed_on() -> None:
    profile = {
        "defaultAction": "SCMP_ACT_KILL",
        "defaultErrnoRet": 5,
        "architectures": ["SCMP_ARCH_X86"],
        "flags": [],
        "listenerPath": "/l",
        "listenerMetadata": "m",
        "syscalls": [
            {
                "names": ["clone", "personality"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 0,
                "args": [{"index": 1, "value": 2**64 - 1, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"}],
            }
        ],
    }
    assert resolved(profile) == profile


def test_what_is_not_ocis_is_dropped_and_old_names_still_count() -> None:
    profile = {
        "DefaultAction": "SCMP_ACT_ALLOW",
        "note": 1,
        "syscalls": [{"name": "mkdir", "action": "SCMP_ACT_ERRNO", "comment": "no", "args": None}],
    }
    assert resolved(profile) == CUSTOM


def test_the_map_of_architectures_is_looked_up_by_the_machine() -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": None},
        ],
    }
    arm = HostFacts(hostname="x", has_seccomp=True, machine="aarch64")
    assert resolved(profile) == {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]}
    assert (resolved(profile, facts=arm) or {})["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, True),
        ({"includes": {}, "excludes": {}}, True),
        ({"includes": {"caps": ["CAP_A"]}}, True),
        ({"includes": {"caps": ["CAP_A", "CAP_B"]}}, True),
        ({"includes": {"caps": ["CAP_A", "CAP_C"]}}, False),
        ({"includes": {"arches": ["amd64", "arm64"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"includes": {"minKernel": "5.10"}}, True),
        ({"includes": {"minKernel": "5.9"}}, True),
        ({"includes": {"minKernel": "5.11"}}, False),
        ({"includes": {"arches": ["amd64"], "caps": ["CAP_C"]}}, False),
        ({"excludes": {"caps": ["CAP_C", "CAP_A"]}}, False),
        ({"excludes": {"caps": ["CAP_C"]}}, True),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"excludes": {"minKernel": "5.10"}}, False),
        ({"excludes": {"minKernel": "6.0"}}, True),
        ({"excludes": {"minKernel": "6.0"}, "includes": {"caps": ["CAP_C"]}}, False),
    ],
)
def test_rules_hold_by_capability_machine_and_kernel(rules: Json, expected: bool) -> None:
    assert kept(rules, "CAP_A", "CAP_B") is expected


KERNEL = 'Decoding seccomp profile failed: invalid kernel version: "{0}", expected "<kernel>.<major>"'


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("{", "Decoding seccomp profile failed: unexpected end of JSON input"),
        ("nofile", "Decoding seccomp profile failed: invalid character 'o' in literal null (expecting 'u')"),
        ("/p.json", "Decoding seccomp profile failed: invalid character '/' looking for beginning of value"),
        (
            {"defaultAction": "a", "architectures": ["x"], "archMap": [{"architecture": "y"}]},
            "both 'architectures' and 'archMap' are specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'",
        ),
        (
            {"defaultAction": "a", "syscalls": [{"name": "a", "names": ["b"]}]},
            "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
        ),
        ({"syscalls": [{"includes": {"minKernel": "x"}}]}, KERNEL.format("x")),
        ({"syscalls": [{"excludes": {"minKernel": "4.8.1"}}]}, KERNEL.format("4.8.1")),
        ({"syscalls": [{"includes": {"minKernel": "0.0"}}]}, KERNEL.format("0.0") + ": version cannot be 0.0"),
    ],
)
def test_a_profile_that_cannot_be_read_is_refused_in_dockers_words(profile: Json | str, message: str) -> None:
    with pytest.raises(Internal) as caught:
        resolved(profile)
    assert str(caught.value) == message


def test_a_value_of_a_wrong_kind_is_named() -> None:
    with pytest.raises(
        Internal, match=r"Decoding seccomp profile failed: json: cannot unmarshal number into Go struct"
    ):
        resolved({"defaultAction": 5})


def test_an_empty_profile_is_none() -> None:
    assert resolved({}) is None


def test_a_filter_is_made_once_for_equal_profiles() -> None:
    assert compiled(dict(CUSTOM)) is compiled(json.loads(json.dumps(CUSTOM)))
    assert compiled(CUSTOM).program


def test_what_cannot_be_compiled_is_the_start_that_fails() -> None:
    with pytest.raises(Internal, match="runc create failed: string X is not a valid action for seccomp"):
        compiled({"defaultAction": "X"})


def test_a_process_is_given_the_program_and_its_flags() -> None:
    found = filter_of(CUSTOM)
    assert found is not None and found.flags == 4
    assert found.program == compiled(CUSTOM).program
    assert filter_of(CUSTOM) is found
    assert filter_of(None) is None


def test_a_filter_that_asks_somebody_must_say_whom() -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
    with pytest.raises(Internal, match="unable to start container process: listenerPath is not set"):
        filter_of(profile)
    found = filter_of(profile | {"listenerPath": "/run/agent.sock"})
    assert found is not None and found.flags & 8
