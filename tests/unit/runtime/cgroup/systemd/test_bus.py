from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.systemd_bus import FakeSystemd
from sampan.runtime.cgroup.systemd.bus import BusError, Manager


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystemd]:
    fake = FakeSystemd(str(tmp_path))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", fake.address)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", fake.address)
    with fake.serving():
        yield fake


def test_a_unit_is_started_and_its_job_waited_for(systemd: FakeSystemd) -> None:
    with Manager(is_user=False) as manager:
        manager.start_unit("a.scope", [("Slice", ("s", "x.slice")), ("PIDs", ("au", [7]))])
    assert systemd.units == {"a.scope": {"Slice": "x.slice", "PIDs": [7]}}
    assert systemd.asked("StartTransientUnit")[0][1] == "replace"


def test_a_job_that_fails_is_an_error_and_leaves_no_unit(systemd: FakeSystemd) -> None:
    systemd.job_result = "failed"
    with Manager(is_user=False) as manager, pytest.raises(BusError, match=r"a\.scope: got `failed`"):
        manager.start_unit("a.scope", [])
    assert systemd.asked("ResetFailedUnit") == [("a.scope",)]


def test_what_failed_before_under_the_name_is_forgotten(systemd: FakeSystemd) -> None:
    systemd.errors["StartTransientUnit"] = ["UnitExists"]
    with Manager(is_user=False) as manager:
        manager.start_unit("a.scope", [])
    assert systemd.asked("ResetFailedUnit") == [("a.scope",)] and "a.scope" in systemd.units


def test_what_runs_under_the_name_is_not(systemd: FakeSystemd) -> None:
    systemd.errors["StartTransientUnit"] = ["UnitExists", "UnitExists"]
    with Manager(is_user=False) as manager, pytest.raises(BusError, match="StartTransientUnit went wrong") as caught:
        manager.start_unit("a.scope", [])
    assert caught.value.name == "org.freedesktop.systemd1.UnitExists"


def test_a_unit_is_stopped_and_one_that_is_gone_is_no_error(systemd: FakeSystemd) -> None:
    systemd.errors["ResetFailedUnit"] = ["NoSuchUnit", "NoSuchUnit"]
    with Manager(is_user=False) as manager:
        manager.start_unit("a.scope", [])
        manager.stop_unit("a.scope")
        manager.stop_unit("a.scope")
    assert systemd.units == {}


def test_properties_are_set_until_the_next_boot(systemd: FakeSystemd) -> None:
    with Manager(is_user=False) as manager:
        manager.set_properties("a.scope", [("TasksMax", ("t", 5))])
        manager.attach_process("a.scope", 8)
    assert systemd.asked("SetUnitProperties") == [("a.scope", True, [("TasksMax", ("t", 5))])]
    assert systemd.asked("AttachProcessesToUnit") == [("a.scope", "", [8])]


@pytest.mark.parametrize(("text", "number"), [("252.39-1~deb12u2", 252), ("v245.4-1.fc32", 245), ("256", 256)])
def test_its_version_is_a_number(systemd: FakeSystemd, text: str, number: int) -> None:
    systemd.properties["Version"] = text
    with Manager(is_user=True) as manager:
        assert manager.version() == number


def test_an_error_has_systemds_words(systemd: FakeSystemd) -> None:
    systemd.errors["SetUnitProperties"] = ["PropertyReadOnly"]
    with Manager(is_user=False) as manager, pytest.raises(BusError, match="systemd: SetUnitProperties went wrong"):
        manager.set_properties("a.scope", [])


def test_without_a_bus_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(BusError, match="cannot connect to systemd over D-Bus"):
        Manager(is_user=False)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(BusError, match="cannot find the user's systemd"):
        Manager(is_user=True)
