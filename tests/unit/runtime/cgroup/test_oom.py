import os
import select
from pathlib import Path

import pytest

from sampan.runtime.cgroup import oom
from sampan.runtime.cgroup.files import CgroupError
from sampan.runtime.cgroup.v1 import CgroupV1
from sampan.runtime.cgroup.v2 import CgroupV2


def v1(tmp_path: Path) -> "tuple[oom.Watch, Path]":
    folder = tmp_path / "x"
    folder.mkdir()
    for name in ("memory.oom_control", "cgroup.event_control"):
        (folder / name).write_text("")
    return oom.watch(CgroupV1("/x", {"memory": str(tmp_path)})), folder


def test_version_1_is_told_through_an_eventfd(tmp_path: Path) -> None:
    watch, folder = v1(tmp_path)
    assert (folder / "cgroup.event_control").read_text().split()[0] == str(watch.fd)
    assert watch.take() == 0
    os.eventfd_write(watch.fd, 2)
    assert select.select([watch.fd], [], [], 0)[0]
    assert watch.take() == 2 and not watch.is_over
    (folder / "cgroup.event_control").unlink()
    os.eventfd_write(watch.fd, 1)  # the kernel's signal for the end
    assert watch.take() == 0 and watch.is_over
    watch.close()
    watch.close()


def test_version_1_needs_the_memory_controller() -> None:
    with pytest.raises(CgroupError, match="no memory controller"):
        oom.watch(CgroupV1("/x", {"pids": "/nowhere"}))


def test_version_2_counts_kills_since_it_began(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    events, state = tmp_path / "x/memory.events", tmp_path / "x/cgroup.events"
    events.write_text("oom 3\noom_kill 3\n")
    state.write_text("populated 1\n")
    watch = oom.watch(CgroupV2("/x", str(tmp_path)))
    assert watch.take() == 0
    events.write_text("oom 5\noom_kill 5\n")
    assert select.select([watch.fd], [], [], 1)[0]
    assert watch.take() == 2 and not watch.is_over
    assert not select.select([watch.fd], [], [], 0)[0]
    state.write_text("populated 0\n")
    assert watch.take() == 0 and watch.is_over
    watch.close()


def test_version_2_needs_its_files(tmp_path: Path) -> None:
    with pytest.raises(CgroupError, match="cannot watch"):
        oom.watch(CgroupV2("/x", str(tmp_path)))
