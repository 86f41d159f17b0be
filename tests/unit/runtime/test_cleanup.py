import json
import os
from pathlib import Path

import pytest

from fakes.oci_runtime import OciRuntime
from sampan.runtime import cleanup
from sampan.runtime.shim.foreign import command


def test_a_directory_goes_with_what_a_shim_puts_there(tmp_path: Path) -> None:
    exec_dir = tmp_path / "c"
    (exec_dir / "rootfs").mkdir(parents=True)
    (exec_dir / "state.json").write_text("{}")
    (exec_dir / "shim.sock").write_text("")
    cleanup.remove_exec_dir(str(exec_dir))
    cleanup.remove_exec_dir(str(exec_dir))
    assert not exec_dir.exists()


def test_unexpected_files_do_not_keep_a_directory(tmp_path: Path) -> None:
    (tmp_path / "c/rootfs/deep").mkdir(parents=True)
    cleanup.remove_exec_dir(str(tmp_path / "c"))
    assert not (tmp_path / "c").exists()


def test_a_container_whose_shim_left_nothing_counts_as_killed(tmp_path: Path) -> None:
    record = cleanup.clean_up(str(tmp_path / "c"), str(tmp_path / "exit.json"), "")
    assert record.exit_code == 137 and record.error
    assert json.loads((tmp_path / "exit.json").read_text())["exit_code"] == 137


def test_a_record_that_the_shim_wrote_stands(tmp_path: Path) -> None:
    found = {"exit_code": 3, "oom_killed": False, "started_at_ns": 1, "finished_at_ns": 2, "error": ""}
    (tmp_path / "exit.json").write_text(json.dumps(found))
    assert cleanup.clean_up(str(tmp_path / "c"), str(tmp_path / "exit.json"), "").exit_code == 3


def test_a_container_of_another_runtime_is_deleted_by_that_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "leave_host", lambda: None)
    runtime = OciRuntime(tmp_path / "bin")
    state = {"pid": 1, "start_ticks": -1, "cgroup": "", "runtime": runtime.setting, "id": "c1"}
    (tmp_path / "c").mkdir()
    (tmp_path / "c/state.json").write_text(json.dumps(state))
    assert cleanup.clean_up(str(tmp_path / "c"), str(tmp_path / "exit.json"), "").exit_code == 137
    assert runtime.calls() == [["delete", "--force", "c1"]]
    assert not (tmp_path / "c").exists()


def test_a_torn_state_file_is_no_obstacle(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "c")
    (tmp_path / "c/state.json").write_text('{"pid": 1')
    assert cleanup.clean_up(str(tmp_path / "c"), str(tmp_path / "exit.json"), "").exit_code == 137
    assert not (tmp_path / "c").exists()
