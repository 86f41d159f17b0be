"""The default profile is Docker's: `golden_seccomp` holds what Docker gave to runc, by the container's capabilities."""

import json
from pathlib import Path
from typing import Any

import pytest

from sampan.api.wire.host import HostConfig
from sampan.engine.host import HostFacts
from sampan.engine.process import DEFAULT_CAPABILITIES
from sampan.engine.seccomp import seccomp_of
from sampan.engine.seccompdefault import default_profile
from sampan.linux.capabilities import NAMES
from sampan.oci.seccomp.abis import ABIS
from sampan.oci.seccomp.numbers import numbers

Json = dict[str, Any]
GOLDEN: Json = json.loads((Path(__file__).parent / "golden_seccomp" / "docker-28.5.json").read_text())
FACTS = HostFacts(hostname="x", has_seccomp=True, machine="x86_64", kernel=(6, 18))
SETS = {"default": DEFAULT_CAPABILITIES, "all": NAMES, "none": []}


def as_line(rule: Json) -> str:
    """ "ERRNO(38) clone3", "ALLOW personality arg0 EQ 0x8"."""
    errno = f"({rule['errnoRet']})" if "errnoRet" in rule else ""
    words = [rule["action"].removeprefix("SCMP_ACT_") + errno, *rule["names"]]
    for argument in rule.get("args") or []:
        words += [f"arg{argument['index']}", argument["op"].removeprefix("SCMP_CMP_"), f"{argument['value']:#x}"]
        words += [f"{argument['valueTwo']:#x}"] if argument.get("valueTwo") else []
    return " ".join(words)


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_the_profile_is_dockers_for_every_capability(case: str) -> None:
    found = seccomp_of(HostConfig(), SETS.get(case, [f"CAP_{case}"]), FACTS)
    assert found is not None
    rules = list(found["syscalls"])
    always = rules.pop(0)
    assert {name: value for name, value in found.items() if name != "syscalls"} == GOLDEN["profile"]
    assert (always["action"], always["names"]) == ("SCMP_ACT_ALLOW", " ".join(GOLDEN["always"]).split())
    assert [as_line(rule) for rule in rules] == GOLDEN["cases"][case]


def test_arm_has_its_own_calls_and_no_others() -> None:
    facts = HostFacts(hostname="x", has_seccomp=True, machine="aarch64", kernel=(6, 1))
    found = seccomp_of(HostConfig(), [], facts)
    assert found is not None
    assert found["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    lines = [as_line(rule) for rule in found["syscalls"]]
    assert "ALLOW arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls" in lines
    assert not any("arch_prctl" in line or "modify_ldt" in line for line in lines)


def test_an_old_kernel_gets_no_ptrace() -> None:
    old = HostFacts(hostname="x", has_seccomp=True, kernel=(4, 7))
    found = seccomp_of(HostConfig(), [], old)
    assert found is not None
    assert not any("ptrace" in rule["names"] for rule in found["syscalls"])


def test_every_name_is_a_system_call_somewhere() -> None:
    known = {name for abi in ABIS.values() for name in numbers(abi.table)}
    names = {name for rule in default_profile()["syscalls"] for name in rule["names"]}
    # Other architectures' own calls, and one that the kernel never named so.
    assert names - known == {"riscv_hwprobe", "sync_file_range2"}
