from pathlib import Path
from typing import Any

import pytest

from sampan.runtime.resctrl import Group, ResctrlError, group_for, mountpoint, schemata


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """A resctrl with cache and bandwidth allocation; a new group has no files, as plain directories have none."""
    for resource, files in (
        ("L3", {"cbm_mask": "7ff", "min_cbm_bits": "1", "num_closids": "16"}),
        ("MB", {"bandwidth_gran": "10", "delay_linear": "1", "min_bandwidth": "10", "num_closids": "8"}),
    ):
        (tmp_path / "info" / resource).mkdir(parents=True)
        for name, text in files.items():
            (tmp_path / "info" / resource / name).write_text(f"{text}\n")
    (tmp_path / "schemata").write_text("    L3:0=7ff;1=7ff\n    MB:0=100;1=100\n")
    return tmp_path


def group(mount: Path, **config: Any) -> Group:
    return group_for(config, "c1", mount=str(mount))


def existing(mount: Path, name: str, text: str) -> Path:
    (mount / name).mkdir()
    (mount / name / "schemata").write_text(text)
    (mount / name / "tasks").write_text("")
    return mount / name


def test_the_mount_is_found_wherever_it_is() -> None:
    assert mountpoint("30 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n31 1 0:31 / /res rw - resctrl r rw") == "/res"
    assert mountpoint("30 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup rw") == ""


def test_without_resctrl_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sampan.runtime.resctrl.mountpoint", lambda text: "")
    with pytest.raises(ResctrlError, match="resctrl is not mounted"):
        group_for({}, "c1")


@pytest.mark.parametrize("name", [".", "..", "a/b", "info"])
def test_a_class_is_a_directory_of_its_own(mount: Path, name: str) -> None:
    with pytest.raises(ResctrlError, match="invalid intelRdt"):
        group(mount, closID=name)


def test_schemas_are_written_together_and_the_free_one_last() -> None:
    assert schemata({"l3CacheSchema": "L3:0=f\nMB:0=10", "memBwSchema": "MB:0=20"}) == ["L3:0=f", "MB:0=20"]
    assert schemata({"l3CacheSchema": "L3:0=f\nMB:0=10"}) == ["L3:0=f", "MB:0=10"]
    assert schemata({"memBwSchema": "MB:0=20", "schemata": ["L3:0=1"]}) == ["MB:0=20", "L3:0=1"]
    assert schemata({"schemata": "L3:0=1\nL2:0=f\n"}) == ["L3:0=1", "L2:0=f"]
    assert schemata({}) == []


def test_a_group_of_the_containers_own_is_made_and_removed(mount: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = group(mount, l3CacheSchema="L3:0=7f0;1=1f", memBwSchema="MB:0=20;1=70")
    written = []
    monkeypatch.setattr(Group, "_write", lambda self, path, text: written.append((path, text)))
    own.create()
    own.add(77)
    assert (mount / "c1").is_dir()
    assert written == [
        (f"{mount}/c1/schemata", "L3:0=7f0;1=1f\nMB:0=20;1=70\n"),
        (f"{mount}/c1/tasks", "77"),
    ]
    own.remove()
    own.remove()
    assert not (mount / "c1").exists()


def test_a_group_that_was_prepared_is_joined_and_kept(mount: Path) -> None:
    with pytest.raises(ResctrlError, match="does not exist"):
        group(mount, closID="gold").create()
    folder = existing(mount, "gold", "L3:0=7ff\n")
    gold = group(mount, closID="gold")
    gold.create()
    gold.add(77)
    gold.remove()
    assert (folder / "tasks").read_text() == "77"


def test_a_shared_group_must_have_what_the_config_says(mount: Path) -> None:
    existing(mount, "gold", "    L3:0=07f0;1=001f\n    MB:0= 20;1=70\n")
    group(mount, closID="gold", l3CacheSchema="L3:1=1f;0=7F0", memBwSchema="MB:0=20").create()
    with pytest.raises(ResctrlError, match="are not those of the config: 'MB:0=30'"):
        group(mount, closID="gold", memBwSchema="MB:0=30").create()


def test_what_the_machine_cannot_share_is_named(mount: Path) -> None:
    with pytest.raises(ResctrlError, match="schema for L2, which is not enabled"):
        group(mount, schemata=["L2:0=f"]).create()


@pytest.mark.parametrize("switch", ["enableMonitoring", "enableCMT", "enableMBM"])
def test_monitoring_has_a_group_below(mount: Path, switch: str) -> None:
    folder = existing(mount, "gold", "")
    (folder / "mon_groups").mkdir()
    watched = group(mount, closID="gold", **{switch: True})
    watched.create()
    (folder / "mon_groups/c1/tasks").write_text("")
    watched.add(7)
    assert (folder / "tasks").read_text() == (folder / "mon_groups/c1/tasks").read_text() == "7"
    (folder / "mon_groups/c1/tasks").unlink()
    watched.remove()
    assert not (folder / "mon_groups/c1").exists() and folder.exists()


def test_other_shares_for_a_running_container(mount: Path) -> None:
    folder = existing(mount, "c1", "")
    group(mount).update(l3_cache_schema="L3:0=f")
    assert (folder / "schemata").read_text() == "L3:0=f\n"


def test_the_kernel_says_what_was_wrong(mount: Path) -> None:
    (mount / "info/last_cmd_status").write_text("Mask out of range\n")
    with pytest.raises(ResctrlError, match=r"failed to write '7' to .*/c1/tasks: No such file.* \(Mask out of range\)"):
        group(mount).add(7)


def test_statistics_have_runcs_shape(mount: Path) -> None:
    folder = existing(mount, "c1", "    L3:0=7f0;1=1f\n    MB:0=20;1=70\n")
    for node, occupancy in (("mon_L3_00", "5"), ("mon_L3_01", "Unavailable")):
        (folder / "mon_data" / node).mkdir(parents=True)
        (folder / "mon_data" / node / "llc_occupancy").write_text(f"{occupancy}\n")
        (folder / "mon_data" / node / "mbm_total_bytes").write_text("9\n")
    assert group(mount).statistics() == {
        "schemata": ["L3:0=7f0;1=1f", "MB:0=20;1=70"],
        "l3_cache_info": {"cbm_mask": "7ff", "min_cbm_bits": 1, "num_closids": 16},
        "l3_cache_schema_root": "L3:0=7ff;1=7ff",
        "l3_cache_schema": "L3:0=7f0;1=1f",
        "mem_bw_info": {"bandwidth_gran": 10, "delay_linear": 1, "min_bandwidth": 10, "num_closids": 8},
        "mem_bw_schema_root": "MB:0=100;1=100",
        "mem_bw_schema": "MB:0=20;1=70",
        "mbm_stats": [{"mbm_total_bytes": 9}, {"mbm_total_bytes": 9}],
        "cmt_stats": [{"llc_occupancy": 5}],
    }
