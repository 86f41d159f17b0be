import os
from pathlib import Path

import pytest

from fakes.oci_runtime import OciRuntime
from sampan.runtime.shim.foreign import cleanup, command


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OciRuntime:
    monkeypatch.setattr(command, "leave_host", lambda: None)
    return OciRuntime(tmp_path / "bin")


def test_the_runtime_that_the_state_names_deletes_the_container(runtime: OciRuntime, tmp_path: Path) -> None:
    (tmp_path / "runtime/c1").mkdir(parents=True)
    (tmp_path / "runtime/c1/pid").write_text("")
    cleanup.end({"runtime": runtime.setting, "id": "c1"}, str(tmp_path))
    assert runtime.calls() == [["delete", "--force", "c1"]]
    assert not (tmp_path / "runtime/c1").exists()


def test_a_runtime_that_hangs_or_is_gone_does_not_hold_the_rest_up(
    runtime: OciRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "PATIENCE_S", 0.05)
    runtime.hang("delete")
    before = len(os.listdir("/proc/self/fd"))
    cleanup.end({"runtime": runtime.setting, "id": "c1"}, str(tmp_path))
    cleanup.end({"runtime": {"path": "/nonexistent", "args": []}, "id": "c1"}, str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before
