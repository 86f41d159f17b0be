"""One suite for every control group there can be here (`runtime.cgroup.contract`): version and driver.

The kernel's answers count: each limit is read back from its file by the names of the version that the machine has.
"""

import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from sampan.runtime.cgroup import oom
from sampan.runtime.cgroup.contract import Cgroup
from sampan.runtime.cgroup.detect import at, cgroup_for, hierarchies
from sampan.runtime.cgroup.devices import with_default_devices
from sampan.runtime.cgroup.files import CgroupError
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups]

MIB = 1 << 20
PARENT = f"/smpcg-{os.getpid()}"
# Version 1's controller and file, version 2's file.
FILES = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.max"),
    "quota": ("cpu", "cpu.cfs_quota_us", "cpu.max"),
    "cpus": ("cpuset", "cpuset.cpus", "cpuset.cpus"),
    "pids": ("pids", "pids.max", "pids.max"),
}


class Lab:
    """A cgroup and the processes that a test puts into it."""

    def __init__(self, manager: str) -> None:
        self.manager = manager
        self.name = uuid.uuid4().hex[:8]
        self.cgroup = self.open()
        self.children: list[subprocess.Popen[bytes]] = []

    def open(self) -> Cgroup:
        """The same cgroup again, as another process would have it."""
        text = f":smpcg:{self.name}" if self.manager == "systemd" else f"{PARENT}/{self.name}"
        return cgroup_for(text, manager=self.manager)

    def value(self, key: str) -> str:
        """A limit as the kernel has it."""
        controller, v1, v2 = FILES[key]
        folders = self.cgroup.folders
        path = f"{folders['']}/{v2}" if self.cgroup.version == 2 else f"{folders[controller]}/{v1}"
        with open(path) as file:
            return file.read().strip()

    def child(self, *command: str) -> subprocess.Popen[bytes]:
        """A process that is not in the cgroup yet."""
        self.children.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        return self.children[-1]

    def start(self, **resources: object) -> subprocess.Popen[bytes]:
        """A first process inside, with limits, in the order that the contract names."""
        self.cgroup.create()
        self.cgroup.apply(resources)
        first = self.child("sleep", "1000")
        self.cgroup.adopt(first.pid)
        return first

    def enter(self, code: str) -> int:
        """The exit status of a Python child that enters by itself and runs `code`."""
        pid = os.fork()
        if pid == 0:
            try:
                for fd in self.cgroup.entry_fds():
                    os.write(fd, b"0")
                    os.close(fd)
                exec(code, {"os": os})
                os._exit(0)
            except OSError as error:
                os._exit(error.errno or 1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def close(self) -> None:
        """Leave nothing."""
        self.cgroup.kill()
        for child in self.children:
            child.kill()
            child.communicate()
        self.cgroup.remove(patience_s=5)
        if self.manager == "cgroupfs":
            at(PARENT).remove()


def is_left(cgroup: Cgroup) -> list[str]:
    return [folder for folder in cgroup.folders.values() if os.path.exists(folder)]


@pytest.fixture(params=["cgroupfs", "systemd"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    if request.param == "systemd" and not os.path.isdir("/run/systemd/system"):
        pytest.skip("systemd does not run here")
    made = Lab(request.param)
    yield made
    made.close()
    assert is_left(made.cgroup) == []


def test_the_first_process_is_inside_and_limited(lab: Lab) -> None:
    first = lab.start(
        memory={"limit": 64 * MIB, "swap": 128 * MIB, "reservation": 32 * MIB},
        cpu={"shares": 512, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"},
        pids={"limit": 20},
    )
    assert lab.cgroup.pids() == {first.pid}
    assert lab.value("memory") == str(64 * MIB)
    assert lab.value("quota").split()[0] == "50000"
    assert lab.value("cpus") == "0"
    assert lab.value("pids") == "20"
    with open(f"/proc/{first.pid}/cgroup") as file:
        assert lab.name in file.read()


def test_another_process_finds_the_same_cgroup_by_its_path(lab: Lab) -> None:
    first = lab.start()
    again = cgroup_for(lab.cgroup.path, manager=lab.manager)
    assert (again.pids(), again.folders, again.unit) == ({first.pid}, lab.cgroup.folders, lab.cgroup.unit)


def test_limits_change_in_both_directions(lab: Lab) -> None:
    lab.start(memory={"limit": 64 * MIB, "swap": 64 * MIB}, cpu={"quota": 50000, "period": 100000})
    for size in (256 * MIB, 32 * MIB):
        lab.cgroup.update({"memory": {"limit": size, "swap": 2 * size}})
        assert lab.value("memory") == str(size)
    lab.cgroup.update({"memory": {"limit": -1}})
    assert lab.value("memory") == "max" or int(lab.value("memory")) > 1 << 60
    for quota, period in ((20000, 20000), (500000, 1000000)):
        lab.cgroup.update({"cpu": {"quota": quota, "period": period}})
        assert lab.value("quota").split()[0] == str(quota)
    lab.cgroup.update({"cpu": {"period": 500000}})
    assert lab.value("quota").split()[0] == "500000"
    lab.cgroup.update({"cpu": {"quota": -1}, "pids": {"limit": 7}})
    assert lab.value("quota").split()[0] in ("-1", "max")
    assert lab.value("pids") == "7"


def test_an_idle_container_gets_its_shares_back(lab: Lab) -> None:
    lab.start(cpu={"shares": 2048})
    lab.cgroup.update({"cpu": {"idle": 1}})
    lab.cgroup.update({"cpu": {"idle": 0, "shares": 300}})
    folder = lab.cgroup.folders.get("cpu") or lab.cgroup.folders[""]
    name = "cpu.shares" if lab.cgroup.version == 1 else "cpu.weight"
    with open(f"{folder}/{name}") as file:
        assert file.read().strip() == ("300" if lab.cgroup.version == 1 else "39")


def test_device_rules_decide_and_are_replaced_by_an_update(lab: Lab) -> None:
    lab.start(devices=with_default_devices([{"allow": False, "access": "rwm"}]))
    null, kmsg = "os.open('/dev/null', os.O_RDWR)", "os.open('/dev/kmsg', os.O_RDONLY)"
    assert (lab.enter(null), lab.enter(kmsg)) == (0, 1)
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}]
    lab.open().update({"devices": rules})
    assert (lab.enter(null), lab.enter(kmsg)) == (1, 0)
    lab.cgroup.update({"devices": [{"allow": True, "access": "rwm"}]})
    assert (lab.enter(null), lab.enter(kmsg)) == (0, 0)


def test_a_denial_after_an_allowance_holds(lab: Lab) -> None:
    lab.start(
        devices=[
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
            {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
            {"allow": False, "type": "c", "major": 1, "minor": -1, "access": "w"},
        ]
    )
    assert lab.enter("os.open('/dev/null', os.O_RDONLY)") == 0
    assert lab.enter("os.open('/dev/zero', os.O_WRONLY)") == 1


def test_frozen_processes_stop_and_go_on(lab: Lab) -> None:
    lab.start()
    reader, writer = os.pipe()
    busy = subprocess.Popen(["sh", "-c", "while echo x; do :; done"], stdout=writer)
    os.close(writer)
    lab.children.append(busy)
    lab.cgroup.adopt(busy.pid)
    assert os.read(reader, 1)
    lab.cgroup.freeze(frozen=True)
    assert lab.open().is_frozen()
    while select.select([reader], [], [], 0)[0]:
        os.read(reader, 1 << 16)
    assert not select.select([reader], [], [], 0.2)[0]
    lab.cgroup.freeze(frozen=False)
    assert not lab.cgroup.is_frozen()
    assert select.select([reader], [], [], 10)[0]
    os.close(reader)


def test_kill_ends_frozen_and_forking_processes(lab: Lab) -> None:
    lab.start(pids={"limit": 100})
    forking = lab.child("sh", "-c", "while :; do sleep 0.01 & done")
    lab.cgroup.adopt(forking.pid)
    eventually(lambda: len(lab.cgroup.pids()) > 3, timeout_s=20)
    lab.cgroup.freeze(frozen=True)
    assert lab.cgroup.kill(patience_s=30)
    assert lab.cgroup.pids() == set()
    assert forking.wait(10) == -signal.SIGKILL


def test_another_signal_reaches_every_process(lab: Lab) -> None:
    first = lab.start()
    second = lab.child("sleep", "1000")
    lab.cgroup.adopt(second.pid)
    assert lab.cgroup.kill(signal.SIGUSR1)
    assert [first.wait(10), second.wait(10)] == [-signal.SIGUSR1] * 2


def test_what_the_container_made_below_goes_with_it(lab: Lab) -> None:
    first = lab.start()
    for folder in dict.fromkeys(lab.cgroup.folders.values()):
        os.makedirs(f"{folder}/a/b")
    with pytest.raises(OSError, match="busy"):
        at(lab.cgroup.path).remove()
    first.kill()
    first.wait()
    lab.cgroup.remove(patience_s=5)
    assert is_left(lab.cgroup) == []
    lab.cgroup.remove()
    assert lab.cgroup.kill()
    lab.cgroup.freeze(frozen=False)
    assert not lab.cgroup.is_frozen()


def test_a_process_enters_a_cgroup_below(lab: Lab) -> None:
    lab.start()
    for folder in dict.fromkeys(lab.cgroup.folders.values()):
        os.mkdir(f"{folder}/foo")
    for fd in lab.cgroup.below({"": "foo"}).entry_fds():
        os.close(fd)
    with pytest.raises(CgroupError, match="No such file"):
        lab.cgroup.below({"": "gone"})
    with pytest.raises(CgroupError, match=r"`foo/\.\.`: `\.\.` components are not allowed"):
        lab.cgroup.below({"": "foo/.."})


def test_statistics_count_what_runs(lab: Lab) -> None:
    lab.start(memory={"limit": 64 * MIB}, pids={"limit": 9})
    assert lab.enter("sum(range(300000))") == 0
    found = lab.cgroup.statistics()
    assert found["memory"]["usage"]["limit"] == 64 * MIB
    assert found["pids"] == {"current": 1, "limit": 9}
    assert found["cpu"]["usage"]["total"] > 0
    assert set(found) == set("cpu cpuset memory pids blkio hugetlb intel_rdt network_interfaces".split())


def test_running_out_of_memory_is_told(lab: Lab) -> None:
    lab.start(memory={"limit": 16 * MIB, "swap": 16 * MIB})
    watch = oom.watch(lab.cgroup)
    greedy = lab.child(sys.executable, "-c", "import sys; sys.stdin.read(1); bytearray(1 << 26)")
    lab.cgroup.adopt(greedy.pid)
    watch.take()
    greedy.communicate(b"x", timeout=60)
    assert select.select([watch.fd], [], [], 30)[0]
    eventually(lambda: watch.take() >= 1, timeout_s=10)
    assert not watch.is_over
    assert lab.cgroup.oom_kills() == 1
    lab.cgroup.kill()
    for child in lab.children:
        child.wait(10)
    lab.cgroup.remove(patience_s=5)
    eventually(lambda: watch.take() == 0 and watch.is_over, timeout_s=10)
    watch.close()


def test_a_limit_that_cannot_be_is_an_error(lab: Lab) -> None:
    lab.start(memory={"limit": 64 * MIB})
    holder = lab.child(sys.executable, "-c", "import sys; sys.stdin.read(1); x = bytearray(1 << 24); sys.stdin.read(1)")
    lab.cgroup.adopt(holder.pid)
    assert holder.stdin
    holder.stdin.write(b"x")
    holder.stdin.flush()
    eventually(lambda: lab.cgroup.statistics()["memory"]["usage"].get("usage", 0) > 1 << 23, timeout_s=30)
    with pytest.raises(CgroupError, match="usage"):
        lab.cgroup.update({"memory": {"limit": 1 << 20, "checkBeforeUpdate": True}})
    with pytest.raises(CgroupError):
        lab.cgroup.update({"unified": {"no.such": "1"}})
    with pytest.raises(CgroupError):
        lab.cgroup.update({"network": {"classID": 7}} if hierarchies().is_v2 else {"cpu": {"shares": 1}})
    assert lab.value("memory") == str(64 * MIB)


def test_without_control_groups_nothing_is_made() -> None:
    cgroup = cgroup_for("/anything", manager="disabled")
    cgroup.create()
    cgroup.apply({"pids": {"limit": 1}})
    cgroup.adopt(os.getpid())
    assert (cgroup.entry_fds(), cgroup.clone_fd(), cgroup.pids(), cgroup.folders) == ([], 0, set(), {})
    with pytest.raises(CgroupError, match="disabled"):
        cgroup.freeze(frozen=True)
    cgroup.remove()
