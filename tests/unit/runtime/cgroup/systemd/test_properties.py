from typing import Any

import pytest

from sampan.runtime.cgroup.files import CgroupError
from sampan.runtime.cgroup.systemd import properties
from sampan.runtime.cgroup.systemd.properties import NO_LIMIT, bit_mask, of_annotations, of_resources, of_unit, rounded

MIB = 1 << 20
DENY_ALL = {"allow": False, "access": "rwm"}


def found(resources: dict[str, Any], *, version: int = 2, systemd: int = 252) -> dict[str, Any]:
    return {name: value for name, (_, value) in of_resources(resources, version=version, systemd=systemd)}


def test_limits_on_version_2() -> None:
    assert found(
        {
            "memory": {"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB},
            "cpu": {"shares": 1024, "quota": 50000, "period": 100000, "cpus": "0-1,9", "mems": "0"},
            "pids": {"limit": 50},
            "blockIO": {"weight": 10},
        }
    ) == {
        "MemoryMax": 64 * MIB,
        "MemorySwapMax": 32 * MIB,
        "MemoryLow": 32 * MIB,
        "CPUWeight": 100,
        "CPUQuotaPeriodUSec": 100000,
        "CPUQuotaPerSecUSec": 500000,
        "AllowedCPUs": b"\x03\x02",
        "AllowedMemoryNodes": b"\x01",
        "TasksMax": 50,
        "IOWeight": 1,
    }


def test_limits_on_version_1() -> None:
    resources = {"memory": {"limit": 5, "swap": 9}, "cpu": {"shares": 7, "idle": 1}, "blockIO": {"weight": 10}}
    assert found(resources, version=1) == {"MemoryLimit": 5, "CPUShares": 7, "BlockIOWeight": 10}


def test_no_limit_is_the_largest_number() -> None:
    unlimited = {"memory": {"limit": -1}, "cpu": {"quota": -1}, "pids": {"limit": -1}}
    assert found(unlimited) == dict.fromkeys(("MemoryMax", "MemorySwapMax", "CPUQuotaPerSecUSec", "TasksMax"), NO_LIMIT)


def test_nothing_is_said_where_nothing_is_asked() -> None:
    assert found({}) == found({"memory": {}, "cpu": {}, "pids": {}, "devices": []}) == {}


def test_a_quota_is_a_whole_percent_for_both() -> None:
    cpu = {"cpu": {"quota": 12345, "period": 100000}}
    assert found(cpu)["CPUQuotaPerSecUSec"] == 130000
    assert rounded(cpu) == {"cpu": {"quota": 13000, "period": 100000}}
    assert rounded({"cpu": {"quota": 50000}}) == {"cpu": {"quota": 50000}}
    assert rounded({"cpu": {"quota": -1}}) == {"cpu": {"quota": -1}}


def test_idle_is_a_weight_of_zero_where_systemd_knows_it() -> None:
    assert found({"cpu": {"idle": 1, "shares": 5}}) == {"CPUWeight": 0}
    assert found({"cpu": {"idle": 1, "shares": 2}}, systemd=251) == {"CPUWeight": 1}
    assert found({"cpu": {"idle": 0}}) == {}


def test_unified_files_that_have_a_property() -> None:
    unified = {
        "memory.high": "max",
        "memory.min": "5",
        "cpu.weight": "1234",
        "cpu.max": "max 5000",
        "cpuset.cpus": "1",
        "pids.max": " 7 ",
        "io.max": "8:0 rbps=1",
        "cpu.idle": "0",
    }
    assert found({"unified": unified}) == {
        "MemoryHigh": NO_LIMIT,
        "MemoryMin": 5,
        "CPUWeight": 1234,
        "CPUQuotaPeriodUSec": 5000,
        "CPUQuotaPerSecUSec": NO_LIMIT,
        "AllowedCPUs": b"\x02",
        "TasksMax": 7,
    }
    with pytest.raises(CgroupError, match=r"'memory\.max' value invalid: 'much'"):
        found({"unified": {"memory.max": "much"}})


def test_devices_are_an_allow_list() -> None:
    rules = [
        DENY_ALL,
        {"allow": True, "type": "c", "major": -1, "minor": -1, "access": "m"},
        {"allow": True, "type": "b", "major": 8, "access": "rw"},
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
    ]
    said = of_resources({"devices": rules}, version=2, systemd=252)
    allowed = [("char-*", "m"), ("block-8", "rw"), ("/dev/char/1:3", "rwm")]
    assert said == [
        ("DevicePolicy", ("s", "strict")),
        ("DeviceAllow", ("a(ss)", [])),
        ("DeviceAllow", ("a(ss)", allowed)),
    ]


@pytest.mark.parametrize(
    "rules",
    [
        [{"allow": True, "access": "rwm"}],
        [DENY_ALL, {"allow": True, "type": "c", "minor": 3}],
        [DENY_ALL, {"allow": True, "type": "c", "major": 1}, {"allow": False, "type": "c", "major": 1, "minor": 3}],
    ],
)
def test_what_an_allow_list_cannot_say_is_left_to_our_own_filter(rules: list[dict[str, Any]]) -> None:
    assert found({"devices": rules}) == {"DevicePolicy": "auto", "DeviceAllow": []}


def test_a_unit_is_delegated_and_counted() -> None:
    unit = dict(of_unit("d", "system.slice", 77, version=2))
    assert unit["PIDs"] == ("au", [77]) and unit["Delegate"] == ("b", True) and unit["Slice"] == ("s", "system.slice")
    assert "IOAccounting" in unit and "BlockIOAccounting" in dict(of_unit("d", "s", 7, version=1))


def test_annotations_are_properties() -> None:
    annotations = {
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
        "org.systemd.property.TimeoutStopSec": "1.5",
        "org.systemd.property.TimeoutStartUSec": "uint64 7",
        "com.example": "x",
    }
    assert of_annotations(annotations) == [
        ("CollectMode", ("s", "inactive-or-failed")),
        ("TimeoutStopUSec", ("t", 1500000)),
        ("TimeoutStartUSec", ("t", 7)),
    ]


@pytest.mark.parametrize(("name", "text"), [("A-b", "1"), ("Ab", "1"), ("CollectMode", "'"), ("StopSec", "'a'")])
def test_annotations_that_cannot_be_read_are_named(name: str, text: str) -> None:
    with pytest.raises(CgroupError, match=f"annotation {properties.PREFIX}{name}"):
        of_annotations({properties.PREFIX + name: text})


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-"])
def test_an_empty_or_unreadable_list_of_cpus_is_an_error(text: str) -> None:
    with pytest.raises(CgroupError, match="invalid list of CPUs"):
        bit_mask(text)
