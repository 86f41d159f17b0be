import os
import subprocess
import threading
from typing import Any

import pytest

from sampan.errors import AlreadyExists, InvalidArgument, NotFound
from sampan.runtime.command.store import Container, check_id, list_all, start_ticks

Sleeper = subprocess.Popen[bytes]
SPEC = {"ociVersion": "1.2.1", "root": {"path": "rootfs"}, "annotations": {"a": "b"}}


def test_a_made_container_is_creating_as_long_as_its_maker_lives(tmp_path: Any) -> None:
    made = Container.make(str(tmp_path), "one", bundle=str(tmp_path), spec=SPEC)
    assert made.status() == "creating"
    assert Container.load(str(tmp_path), "one").state() == {
        "ociVersion": "1.2.1",
        "id": "one",
        "status": "creating",
        "pid": 0,
        "bundle": str(tmp_path),
        "annotations": {"a": "b"},
    }
    made.maker_ticks += 1  # another process has that pid now
    assert made.status() == "stopped"


def test_an_id_is_taken_once(tmp_path: Any) -> None:
    Container.make(str(tmp_path), "one", bundle="/b", spec=SPEC)
    with pytest.raises(AlreadyExists, match="container with given ID already exists"):
        Container.make(str(tmp_path), "one", bundle="/b", spec=SPEC)


def test_an_unknown_container_does_not_exist(tmp_path: Any) -> None:
    with pytest.raises(NotFound, match="container does not exist"):
        Container.load(str(tmp_path), "one")


@pytest.mark.parametrize("id", ["a", "A-b_c.d+1", "..."])
def test_ids_of_letters_digits_and_a_few_signs_are_good(id: str) -> None:
    check_id(id)


@pytest.mark.parametrize("id", ["", ".", "..", "a/b", "a b", "é", "a\n", "../x", "x" * 1025])
def test_ids_that_could_leave_the_root_are_refused(id: str) -> None:
    with pytest.raises(InvalidArgument, match="container"):
        check_id(id)


def test_everything_survives_on_disk(tmp_path: Any) -> None:
    made = Container.make(str(tmp_path), "one", bundle=str(tmp_path), spec=SPEC)
    made.set_process(os.getpid())
    made.cgroup_path, made.cgroup_manager, made.notes = "/x", "disabled", {"k": [1]}
    made.save()
    found = Container.load(str(tmp_path), "one")
    names = ("pid", "start_ticks", "created", "owner", "rootfs", "cgroup_path", "cgroup_manager", "notes")
    assert [getattr(found, name) for name in names] == [getattr(made, name) for name in names]
    assert found.rootfs == f"{tmp_path}/rootfs"
    assert found.status() == "running"


def test_a_later_change_of_the_bundle_does_not_matter(tmp_path: Any) -> None:
    spec = dict(SPEC)
    Container.make(str(tmp_path), "one", bundle=str(tmp_path), spec=spec)
    spec["ociVersion"] = "9"
    assert Container.load(str(tmp_path), "one").spec["ociVersion"] == "1.2.1"


def test_a_container_is_created_as_long_as_its_fifo_is_there(tmp_path: Any) -> None:
    made = Container.make(str(tmp_path), "one", bundle=str(tmp_path), spec=SPEC)
    made.cgroup_manager = "disabled"
    made.set_process(os.getpid())
    os.mkfifo(made.exec_fifo)
    assert made.status() == "created"
    os.unlink(made.exec_fifo)
    assert made.status() == "running"


def test_a_zombie_and_a_reused_pid_are_stopped_containers(tmp_path: Any, sleeper: Sleeper) -> None:
    made = Container.make(str(tmp_path), "one", bundle=str(tmp_path), spec=SPEC)
    made.cgroup_manager = "disabled"
    made.set_process(sleeper.pid)
    assert made.status() == "running"
    made.start_ticks -= 1
    assert made.status() == "stopped"
    made.start_ticks += 1
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert start_ticks(sleeper.pid) == made.start_ticks
    assert made.status() == "stopped"
    assert made.state()["pid"] == 0


def test_a_process_that_is_gone_cannot_be_the_first_one(tmp_path: Any) -> None:
    made = Container.make(str(tmp_path), "one", bundle=str(tmp_path), spec=SPEC)
    with subprocess.Popen(["true"]) as child:
        child.wait()
    with pytest.raises(NotFound, match="is gone"):
        made.set_process(child.pid)


def test_remove_leaves_nothing(tmp_path: Any) -> None:
    made = Container.make(str(tmp_path), "one", bundle=str(tmp_path), spec=SPEC)
    os.mkfifo(made.exec_fifo)
    os.mkdir(f"{made.directory}/folder")
    with made.locked():
        made.remove()
    assert os.listdir(tmp_path) == []
    made.remove()


def test_list_all_has_containers_by_id_and_nothing_else(tmp_path: Any) -> None:
    for id in ("b", "a"):
        Container.make(str(tmp_path), id, bundle="/", spec=SPEC)
    (tmp_path / "file").write_text("")
    (tmp_path / "half-made").mkdir()
    (tmp_path / "no id").mkdir()
    assert [found.id for found in list_all(str(tmp_path))] == ["a", "b"]
    assert list_all(str(tmp_path / "nowhere")) == []


def test_the_lock_is_held_against_other_processes_and_refreshes(tmp_path: Any) -> None:
    made = Container.make(str(tmp_path), "one", bundle=str(tmp_path), spec=SPEC)
    read, write = os.pipe()
    with made.locked():
        child = os.fork()
        if not child:
            with Container.load(str(tmp_path), "one").locked() as locked:
                os.write(write, locked.cgroup_path.encode())
            os._exit(0)
        os.set_blocking(read, False)
        with pytest.raises(BlockingIOError):
            os.read(read, 10)
        made.cgroup_path = "/new"
        made.save()
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"/new"
    os.close(read)
    os.close(write)


def test_who_waited_for_a_removed_container_is_told(tmp_path: Any) -> None:
    made = Container.make(str(tmp_path), "one", bundle=str(tmp_path), spec=SPEC)
    read, write = os.pipe()
    with made.locked():
        child = os.fork()
        if not child:
            waiting = Container.load(str(tmp_path), "one")
            os.write(write, b"1")
            try:
                with waiting.locked():
                    os._exit(1)
            except NotFound:
                os._exit(7)
            os._exit(2)
        os.read(read, 1)
        made.remove()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    os.close(read)
    os.close(write)


def test_two_makers_of_one_id_get_one_container(tmp_path: Any) -> None:
    outcomes = []

    def race() -> None:
        try:
            Container.make(str(tmp_path), "one", bundle="/", spec=SPEC)
            outcomes.append("made")
        except AlreadyExists:
            outcomes.append("taken")

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] + ["taken"] * 7


def test_created_is_rfc3339_with_nanoseconds(tmp_path: Any) -> None:
    made = Container.make(str(tmp_path), "one", bundle="/", spec=SPEC)
    date, _, time = made.created.partition("T")
    assert len(date.split("-")) == 3 and len(time) == len("00:00:00.000000000Z") and time.endswith("Z")
