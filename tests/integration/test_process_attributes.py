"""Attributes, time namespaces, network devices and labels on the real kernel, each in a forked child of its own."""

import errno
import os
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sampan.linux import constants as c
from sampan.linux import newmount, syscalls, trustedproc
from sampan.linux import scheduling as s
from sampan.runtime import attributes, hooks, labels, netdevices, timens
from sampan.runtime.restrict import StageError

pytestmark = pytest.mark.needs_root

MS = 1_000_000


def in_child(action: Callable[[], object]) -> None:
    """Run `action` in a fork; what it raises fails the test, with its traceback."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except BaseException:
            os.write(writer, traceback.format_exc()[-60000:].encode())
            os._exit(1)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text


def apply_and(check: Callable[[], object], process: dict[str, object], linux: dict[str, object] | None = None) -> None:
    def action() -> None:
        attributes.apply(process, linux or {})
        check()

    in_child(action)


# scheduling


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ({"policy": "SCHED_BATCH", "nice": 19}, (s.SCHED_BATCH, 19, 0, 0)),
        ({"policy": "SCHED_IDLE"}, (s.SCHED_IDLE, 0, 0, 0)),
        ({"policy": "SCHED_OTHER", "nice": 5}, (s.SCHED_OTHER, 5, 0, 0)),
        ({"policy": "SCHED_FIFO", "priority": 10}, (s.SCHED_FIFO, 0, 10, 0)),
        ({"policy": "SCHED_RR", "priority": 3}, (s.SCHED_RR, 0, 3, 0)),
        (
            {"policy": "SCHED_FIFO", "priority": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
            (s.SCHED_FIFO, 0, 1, s.SCHED_FLAG_RESET_ON_FORK),
        ),
    ],
)
def test_a_process_is_scheduled_as_asked(scheduler: dict[str, object], expected: tuple[int, ...]) -> None:
    def check() -> None:
        found = s.sched_getattr(0)
        assert (found.policy, found.nice, found.priority, found.flags) == expected

    apply_and(check, {"scheduler": scheduler})


@pytest.mark.parametrize("period", [{}, {"period": 40 * MS}])
def test_a_deadline_is_set_although_the_caller_is_bound_to_one_cpu(period: dict[str, int]) -> None:
    def action() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        scheduler = {"policy": "SCHED_DEADLINE", "runtime": 10 * MS, "deadline": 20 * MS, **period}
        attributes.apply({"scheduler": scheduler}, {})
        found = s.sched_getattr(0)
        assert (found.policy, found.runtime_ns, found.deadline_ns) == (s.SCHED_DEADLINE, 10 * MS, 20 * MS)

    in_child(action)


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ({"deadline": 20 * MS, "period": 20 * MS}, "sched_setattr: `SCHED_DEADLINE` requires `runtime`"),
        ({"runtime": 10 * MS, "period": 20 * MS}, "sched_setattr: `SCHED_DEADLINE` requires `deadline`"),
        ({"runtime": 0, "deadline": 20 * MS}, "runtime must be greater than 0"),
        ({"runtime": 30 * MS, "deadline": 20 * MS, "period": 40 * MS}, "must be <= deadline"),
        ({"runtime": 10 * MS, "deadline": 30 * MS, "period": 20 * MS}, "must be <= period"),
        ({"runtime": 1023, "deadline": 10 * MS}, "runtime (1023) must be between"),
        ({"runtime": 2**63 + 1, "deadline": 2**63 + 2}, "must be between"),
    ],
)
def test_the_kernel_refuses_these_deadlines(times: dict[str, int], reason: str) -> None:
    def action() -> None:
        with pytest.raises(StageError) as caught:
            attributes.apply({"scheduler": {"policy": "SCHED_DEADLINE", **times}}, {})
        assert reason in str(caught.value)

    in_child(action)


@pytest.mark.parametrize(
    ("name", "level", "expected"),
    [("IOPRIO_CLASS_RT", 2, (1, 2)), ("IOPRIO_CLASS_BE", 4, (2, 4)), ("IOPRIO_CLASS_IDLE", 0, (3, 0))],
)
def test_io_has_the_priority_asked_for(name: str, level: int, expected: tuple[int, int]) -> None:
    def check() -> None:
        assert s.ioprio_get(s.IOPRIO_WHO_PROCESS, 0) == expected

    apply_and(check, {"ioPriority": {"class": name, "priority": level}})


# memory and personality


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        ({"mode": "MPOL_DEFAULT"}, " default "),
        ({"mode": "MPOL_LOCAL"}, " local "),
        ({"mode": "MPOL_BIND", "nodes": "0"}, " bind:0 "),
        ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}, " bind=balancing:0 "),
        ({"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, " prefer=static:0 "),
        ({"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]}, " prefer=relative:0 "),
        ({"mode": "MPOL_PREFERRED_MANY", "nodes": "0"}, " prefer (many):0 "),
        ({"mode": "MPOL_INTERLEAVE", "nodes": "0"}, " interleave:0 "),
    ],
)
def test_memory_comes_from_the_nodes_asked_for(policy: dict[str, object], word: str) -> None:
    if not os.path.exists("/proc/self/numa_maps"):
        pytest.skip("the kernel knows no NUMA")

    def action() -> None:
        attributes.apply({}, {"memoryPolicy": policy})
        done = subprocess.run(["/bin/cat", "/proc/self/numa_maps"], capture_output=True, text=True, check=True)
        assert word in done.stdout.splitlines()[1]

    in_child(action)


@pytest.mark.parametrize(
    "policy",
    [
        {"mode": "MPOL_PREFERRED", "flags": ["MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"]},
        {"mode": "MPOL_PREFERRED", "flags": ["MPOL_F_NUMA_BALANCING"]},
        {"mode": "MPOL_BIND", "nodes": "1023"},
    ],
)
def test_the_kernel_refuses_these_memory_policies(policy: dict[str, object]) -> None:
    def action() -> None:
        with pytest.raises(StageError, match="set_mempolicy: invalid argument"):
            attributes.apply({}, {"memoryPolicy": policy})

    in_child(action)


@pytest.mark.parametrize(("domain", "persona"), [("LINUX", s.PER_LINUX), ("LINUX32", s.PER_LINUX32)])
def test_uname_tells_of_the_personalitys_machine(domain: str, persona: int) -> None:
    def check() -> None:
        assert s.personality() & 0xFF == persona
        assert (os.uname().machine in ("i686", "armv8l", "armv7l")) == (domain == "LINUX32")

    apply_and(check, {}, {"personality": {"domain": domain}})


def test_an_oom_score_is_written() -> None:
    def action() -> None:
        proc = trustedproc.open_proc()
        attributes.set_oom_score({"oomScoreAdj": 777}, proc)
        assert Path("/proc/self/oom_score_adj").read_text() == "777\n"

    in_child(action)


# a procfs that can be trusted


def test_a_detached_procfs_shows_the_callers_pid_namespace_and_nothing_else() -> None:
    def action() -> None:
        syscalls.unshare(c.CLONE_NEWPID)
        in_child(look)

    def look() -> None:
        proc = trustedproc.open_proc()
        root = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
        assert {name for name in os.listdir(root) if name.isdigit()} == {"1"}
        assert "sys" not in os.listdir(root)
        full = trustedproc.open_proc(only_processes=False)
        os.close(trustedproc.open_file(full, "sys/kernel/ostype", os.O_RDONLY))

    in_child(action)


def test_a_file_mounted_over_one_of_procfs_is_not_written_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch()

    def action() -> None:
        syscalls.unshare(c.CLONE_NEWNS)
        syscalls.mount("", "/", "", c.MS_REC | c.MS_PRIVATE)
        me = os.getpid()
        syscalls.mount(str(victim), f"/proc/{me}/task/{me}/oom_score_adj", "", c.MS_BIND)
        by_path = os.open("/proc", os.O_PATH)
        with pytest.raises(OSError) as caught:
            trustedproc.write_self(by_path, "oom_score_adj", "10")
        assert caught.value.errno == errno.EXDEV
        # The detached one has nothing mounted on it.
        trustedproc.write_self(trustedproc.open_proc(), "oom_score_adj", "10")

    in_child(action)
    assert victim.read_bytes() == b""


def test_something_else_at_proc_is_noticed_where_no_procfs_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fstype: str) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    def action() -> None:
        syscalls.unshare(c.CLONE_NEWNS)
        syscalls.mount("", "/", "", c.MS_REC | c.MS_PRIVATE)
        monkeypatch.setattr(trustedproc, "fsopen", refuse)
        os.close(trustedproc.open_proc())
        syscalls.mount("tmpfs", "/proc", "tmpfs", 0)
        with pytest.raises(trustedproc.NotGenuine):
            trustedproc.open_proc()

    in_child(action)


def test_mounts_are_put_on_descriptors_without_the_containers_proc(tmp_path: Path) -> None:
    def action() -> None:
        syscalls.unshare(c.CLONE_NEWNS)
        syscalls.mount("", "/", "", c.MS_REC | c.MS_PRIVATE)
        here, proc = os.getcwd(), trustedproc.open_proc()
        target = os.open(tmp_path, os.O_PATH)
        trustedproc.mount_on(proc, target, 0, source="tmpfs", fstype="tmpfs", options="size=4k")
        (tmp_path / "inside").touch()
        assert os.getcwd() == here
        # What the descriptor stands for lies below the new mount.
        assert "inside" not in os.listdir(f"/proc/self/fd/{target}")

    in_child(action)
    assert not (tmp_path / "inside").exists()


# time


def test_a_process_enters_its_own_time() -> None:
    def action() -> None:
        offsets = {"monotonic": {"secs": 7881, "nanosecs": 2718281}, "boottime": {"secs": 1337, "nanosecs": 3141519}}
        before = os.stat("/proc/self/ns/time").st_ino
        timens.enter(offsets)
        assert os.stat("/proc/self/ns/time").st_ino != before
        assert os.stat("/proc/self/ns/time_for_children").st_ino == os.stat("/proc/self/ns/time").st_ino
        found = [line.split() for line in Path("/proc/self/timens_offsets").read_text().splitlines()]
        assert found == [["monotonic", "7881", "2718281"], ["boottime", "1337", "3141519"]]

    in_child(action)


def test_a_created_time_is_the_childrens_and_can_be_joined() -> None:
    def action() -> None:
        before = os.stat("/proc/self/ns/time").st_ino
        timens.create({"monotonic": {"secs": 5}})
        assert os.stat("/proc/self/ns/time").st_ino == before
        made = os.open("/proc/self/ns/time_for_children", os.O_RDONLY)
        number = os.fstat(made).st_ino
        timens.join(made)
        assert os.stat("/proc/self/ns/time").st_ino == number

    in_child(action)


def test_a_clock_below_zero_is_refused() -> None:
    def action() -> None:
        with pytest.raises(StageError, match="write /proc/self/timens_offsets: numerical result out of range"):
            timens.enter({"monotonic": {"secs": -(1 << 40)}})

    in_child(action)


def test_a_user_namespace_may_be_made_after_its_time() -> None:
    def action() -> None:
        timens.create({"boottime": {"secs": 100}})
        syscalls.unshare(c.CLONE_NEWUSER)
        in_child(look)

    def look() -> None:
        assert "boottime          100" in Path("/proc/self/timens_offsets").read_text()

    in_child(action)


# network devices


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def device() -> Iterator[str]:
    name = "smpp0"
    ip("link", "add", name, "mtu", "1789", "type", "veth", "peer", "name", "smpp1")
    ip("link", "set", name, "address", "00:11:22:33:44:55")
    ip("address", "add", "10.87.3.5/24", "brd", "10.87.3.255", "dev", name)
    ip("address", "add", "169.254.169.77/32", "scope", "link", "dev", name)
    yield name
    subprocess.run(["ip", "link", "delete", "smpp1"], check=False, capture_output=True)


@pytest.mark.parametrize("new_name", ["", "lan"])
def test_a_device_moves_with_its_addresses_and_comes_out_up(device: str, new_name: str) -> None:
    ip("link", "set", device, "up")
    ip("link", "set", "smpp1", "up")

    def action() -> None:
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        syscalls.unshare(c.CLONE_NEWNET)
        container = os.open("/proc/self/ns/net", os.O_RDONLY)
        syscalls.setns(own, c.CLONE_NEWNET)
        netdevices.move({device: {"name": new_name}}, container)
        assert os.stat("/proc/self/ns/net").st_ino == os.fstat(own).st_ino
        assert device not in ip("-o", "link")
        syscalls.setns(container, c.CLONE_NEWNET)
        text = ip("address", "show", "dev", new_name or device)
        for part in ("mtu 1789", "00:11:22:33:44:55", "inet 10.87.3.5/24 brd 10.87.3.255 scope global", ",UP"):
            assert part in text
        # Link-scope addresses are the old network's.
        assert "169.254.169.77" not in text

    in_child(action)


def test_a_device_that_there_is_not_is_named() -> None:
    def action() -> None:
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        with pytest.raises(StageError, match="link not found for interface smppx on runtime namespace"):
            netdevices.move({"smppx": {}}, here)

    in_child(action)


def test_a_name_that_is_taken_leaves_the_device_where_it_was(device: str) -> None:
    def action() -> None:
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        syscalls.unshare(c.CLONE_NEWNET)
        container = os.open("/proc/self/ns/net", os.O_RDONLY)
        syscalls.setns(own, c.CLONE_NEWNET)
        with pytest.raises(StageError, match=f"fail to move network device {device} to network namespace: file exists"):
            netdevices.move({device: {"name": "lo"}}, container)
        assert "10.87.3.5/24" in ip("address", "show", "dev", device)

    in_child(action)


# hooks and labels


def test_a_hook_runs_where_the_root_is_the_containers(tmp_path: Path) -> None:
    def action() -> None:
        syscalls.unshare(c.CLONE_NEWNS)
        syscalls.mount("", "/", "", c.MS_REC | c.MS_PRIVATE)
        for folder in ("bin", "lib", "lib64", "usr"):
            (tmp_path / folder).mkdir()
            if os.path.isdir(f"/{folder}"):
                syscalls.mount(f"/{folder}", str(tmp_path / folder), "", c.MS_BIND)
        os.chroot(tmp_path)
        os.chdir("/")
        hook = {"path": "/bin/sh", "args": ["sh", "-c", "echo $WHO >/said"]}
        hooks.run([hook], {"id": "c"}, kind="startContainer", log=print, environment=["WHO=container"])

    in_child(action)
    assert (tmp_path / "said").read_text() == "container\n"


@pytest.mark.skipif(not labels.is_apparmor_enabled(), reason="the kernel has no AppArmor")
def test_a_program_changes_to_its_profile(tmp_path: Path) -> None:
    name = f"smpp-{os.getpid()}"
    text = f'profile "{name}" flags=(attach_disconnected) {{ file, capability, deny /etc/hostname r, }}\n'
    subprocess.run(["apparmor_parser", "-Kr"], input=text.encode(), check=True)
    out = tmp_path / "current"

    def action() -> None:
        labels.check({"apparmorProfile": name})
        labels.apply({"apparmorProfile": name})
        os.execv("/bin/sh", ["sh", "-c", f"cat /proc/self/attr/current >{out}; ! cat /etc/hostname"])

    try:
        in_child(action)
    finally:
        subprocess.run(["apparmor_parser", "-KR"], input=text.encode(), check=True)
    assert out.read_text() == f"{name} (enforce)\n"


@pytest.mark.skipif(not labels.is_apparmor_enabled(), reason="the kernel has no AppArmor")
def test_a_profile_that_is_not_loaded_is_an_error() -> None:
    def action() -> None:
        with pytest.raises(StageError, match=r"unable to apply apparmor profile: .*no such file or directory"):
            labels.apply({"apparmorProfile": "smpp-nowhere"})

    in_child(action)


def test_file_systems_are_made_without_a_place() -> None:
    def action() -> None:
        fs_fd = newmount.fsopen("tmpfs")
        newmount.fsconfig_string(fs_fd, "size", "4k")
        newmount.fsconfig_flag(fs_fd, "ro")
        newmount.fsconfig_create(fs_fd)
        root = newmount.fsmount(fs_fd)
        with pytest.raises(OSError) as caught:
            os.mkdir("x", dir_fd=root)
        assert caught.value.errno == errno.EROFS

    in_child(action)
