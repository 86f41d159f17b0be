"""The runtime by itself: launcher, shims and first processes, driven as the engine drives them, without a daemon.

After each test nothing of it may be left: no process, mount, cgroup or exec directory (`Lab.run` insists).
"""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import stat
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sampan import errors
from sampan.engine.launcher import reconnect
from sampan.linux.mount import Mount
from sampan.runtime.cgroup.detect import hierarchies
from sampan.runtime.launcher import interpreter
from sampan.runtime.request import ExitRecord
from support import leaks
from support.launching import CAPABILITIES, Container, Lab, Terminal, frames
from support.waiting import eventually

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_cgroups,
    pytest.mark.needs_busybox,
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    found = Lab()
    yield found
    found.destroy()


@pytest.fixture
def lab(shared: Lab) -> Iterator[Lab]:
    """The lab; the launcher and shims must have had nothing to complain about."""
    before = len(shared.log())
    yield shared
    assert shared.log()[before:] == ""


def child_pids(pid: int) -> set[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return {int(text) for text in file.read().split()}


def gone(pid: int) -> bool:
    return leaks.is_zombie(pid)


async def until_gone(*pids: int) -> None:
    async with asyncio.timeout(10):
        while not all(map(gone, pids)):
            await asyncio.sleep(0.01)


async def until_in_its_root(container: Container) -> None:
    """Until a launched container's first process has left the host's root."""
    host = os.stat("/")
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.005)
            try:
                with open(f"{container.exec_dir}/state.json") as file:
                    found = os.stat(f"/proc/{json.load(file)['pid']}/root")
            except (FileNotFoundError, ValueError):
                continue
            if not os.path.samestat(host, found):
                return


def refused(lab: Lab, *args: str, **options: Any) -> errors.StartFailed:
    """Start what cannot be started; the error. Nothing may be left and no exit record written."""

    async def body(lab: Lab) -> errors.StartFailed:
        container = lab.container()
        with pytest.raises(errors.StartFailed) as caught:
            await lab.start(*args, container=container, **options)
        container.shim.disconnect()
        assert not os.path.exists(container.exec_dir)
        assert not os.path.exists(container.exit_path)
        return caught.value

    error: errors.StartFailed = lab.run(body)
    return error


# how it ends


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("(kill -9 0); exit 1", 137)]
)
def test_the_exit_code_is_the_programs(lab: Lab, script: str, code: int) -> None:
    async def body(lab: Lab) -> None:
        # A shell as PID 1 is immune to its own signals; its child is not.
        text = "sh -c 'kill -9 $$'; exit $?" if code == 137 else script
        found = await lab.outcome("sh", "-c", text)
        assert found.code == code
        assert not found.record.oom_killed and not found.record.error
        assert 0 < found.record.started_at_ns <= found.record.finished_at_ns

    lab.run(body)


def test_output_and_errors_come_in_frames_and_in_the_log(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = lab.container()
        found = await lab.outcome("sh", "-c", "echo one; echo two >&2; printf three", container=container)
        assert (found.out, found.err) == ("one\nthree", "two\n")
        with open(container.log_path) as log:
            lines = [json.loads(line) for line in log]
        assert sorted((line["stream"], line["log"]) for line in lines) == [
            ("stderr", "two\n"),
            ("stdout", "one\n"),
            ("stdout", "three"),
        ]

    lab.run(body)


def test_much_output_arrives_whole(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        found = await lab.outcome("sh", "-c", "head -c 3000000 /dev/zero; echo end")
        assert len(found.out) == 3_000_004 and found.out.endswith("end\n")

    lab.run(body)


def test_the_exit_record_is_on_disk(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = lab.container()
        found = await lab.outcome("false", container=container)

        def same() -> bool:
            with open(container.exit_path) as file:
                return bool(json.load(file) == found.record.to_json())

        eventually(lambda: os.path.exists(container.exit_path) and same())

    lab.run(body)


def test_input_is_given_and_its_end_too(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        terminal = Terminal()
        streams = [terminal.stream(framed=True)]
        container = await lab.start("wc", "-c", streams=streams, open_stdin=True, stdin_once=True)
        await terminal.write(b"x" * 200_000)
        terminal.sock.shutdown(1)
        assert frames(await terminal.read_to_end()) == [(1, b"200000\n")]
        assert (await container.shim.wait_exit()).exit_code == 0
        container.shim.disconnect()
        terminal.sock.close()

    lab.run(body)


def test_signals_reach_the_program(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        terminal = Terminal()
        script = "trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
        container = await lab.start("sh", "-c", script, streams=[terminal.stream(framed=True)])
        await terminal.read_until(b"ready")
        await container.shim.kill(signal.SIGTERM)
        assert (await container.shim.wait_exit()).exit_code == 5
        assert b"got" in await terminal.read_to_end()
        with pytest.raises(errors.Unavailable):
            await container.shim.kill(signal.SIGTERM)
        terminal.sock.close()
        container.shim.disconnect()

    lab.run(body)


def test_running_out_of_memory_is_told(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        limit = 16 << 20
        resources = {"memory": {"limit": limit, "swap": limit}}
        # The first process itself must be the victim for 137; the script's variable grows until it is.
        script = "x=0123456789abcdef; while :; do x=$x$x; done"
        found = await lab.outcome("sh", "-c", script, resources=resources)
        assert found.code == 137 and found.record.oom_killed

    lab.run(body)


# what it sees


def test_a_terminal_is_the_standard_streams_and_has_a_size(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        terminal = Terminal()
        script = "tty; stty size; ls /dev/console; read line; stty size; echo got $line"
        container = await lab.start(
            "sh",
            "-c",
            script,
            streams=[terminal.stream(framed=False)],
            tty=True,
            open_stdin=True,
            terminal=True,
            consoleSize={"height": 30, "width": 100},
        )
        await terminal.read_until(b"/dev/console\r\n")
        await container.shim.resize(40, 120)
        await terminal.write(b"hello\n")
        lines = (await terminal.read_to_end()).split(b"\r\n")
        assert lines == [b"/dev/pts/0", b"30 100", b"/dev/console", b"hello", b"40 120", b"got hello", b""]
        assert (await container.shim.wait_exit()).exit_code == 0
        container.shim.disconnect()
        terminal.sock.close()

    lab.run(body)


def test_without_a_terminal_there_is_no_size_to_set(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = await lab.start("sleep", "60")
        with pytest.raises(errors.Conflict):
            await container.shim.resize(1, 1)
        await lab.end(container)

    lab.run(body)


@pytest.mark.parametrize(
    ("user", "groups", "expected"),
    [
        ("", [], "uid=0(root) gid=0(root)"),
        ("app", [], "uid=1000(app) gid=1000(app) groups=10(wheel),1000(app),1001(extra)"),
        ("1000:10", [], "uid=1000(app) gid=10(wheel)"),
        ("4242", [], "uid=4242 gid=0(root)"),
        ("app:extra", ["wheel", "77"], "uid=1000(app) gid=1001(extra) groups=10(wheel),77"),
    ],
)
def test_users_and_groups_are_looked_up_in_the_image(lab: Lab, user: str, groups: list[str], expected: str) -> None:
    async def body(lab: Lab) -> None:
        line = (await lab.script("id", user=user, groups=groups))[0]
        assert line in (expected, expected.replace(" groups=", ",").replace(",", " groups=", 1)) or line.startswith(
            expected
        )

    lab.run(body)


def test_an_unknown_user_is_told_in_dockers_words(lab: Lab) -> None:
    error = refused(lab, "true", user="nosuch")
    assert str(error) == "unable to find user nosuch: no matching entries in passwd file"
    assert error.exit_code == 128


def test_home_and_environment_are_the_users(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        assert await lab.script("env | sort", user="app", env=["PATH=/bin", "A=b=c"]) == [
            "A=b=c",
            "HOME=/home/app",
            "PATH=/bin",
            "PWD=/",
            "SHLVL=1",
        ]

    lab.run(body)


def test_a_missing_working_directory_is_made(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = lab.container()
        assert await lab.script("pwd", cwd="/srv/deep/down", container=container) == ["/srv/deep/down"]
        assert os.path.isdir(container.upper("srv/deep/down"))

    lab.run(body)


def test_a_working_directory_that_may_not_be_made_is_missed(lab: Lab) -> None:
    error = refused(lab, "true", cwd="/srv/absent", create_cwd=False)
    assert "/srv/absent" in str(error) and "no such file" in str(error)


@pytest.mark.parametrize("path", ["/proc/self/fd/{}", "/proc/self/fd/{}/..", "/trap/{}"])
def test_no_descriptor_of_the_host_is_a_working_directory(lab: Lab, path: str) -> None:
    # CVE-2024-21626
    async def body(lab: Lab) -> None:
        for number in range(3, 20):
            container = lab.container()
            os.symlink("/proc/self/fd", container.upper("trap"))
            with pytest.raises(errors.StartFailed, match="chdir to cwd"):
                await lab.start("true", cwd=path.format(number), container=container)
            container.shim.disconnect()

    lab.run(body)


def test_a_program_has_no_descriptors_but_its_standard_streams(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        # The listing's own is 3.
        assert await lab.script("exec ls /proc/self/fd") == ["0", "1", "2", "3"]
        (target,) = await lab.script("readlink /proc/self/fd/0")
        assert target == "/dev/null"

    lab.run(body)


def test_capabilities_are_the_configs(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        rows = dict(line.split(":\t") for line in await lab.script("grep ^Cap /proc/self/status"))
        assert rows["CapEff"] == rows["CapPrm"] == rows["CapBnd"] == "00000000a80425fb"
        rows = dict(line.split(":\t") for line in await lab.script("grep ^Cap /proc/self/status", user="app"))
        assert rows["CapEff"] == rows["CapPrm"] == "0" * 16 and rows["CapBnd"] == "00000000a80425fb"
        rows = dict(line.split(":\t") for line in await lab.script("grep ^Cap /proc/self/status", capabilities={}))
        assert set(rows.values()) == {"0" * 16}

    lab.run(body)
    assert len(CAPABILITIES) == 14


def test_the_nodes_and_links_of_dev_are_there(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        script = "cd /dev; for f in null zero full random urandom tty; do stat -c '%n %F %t:%T %a' $f; done; "
        script += "for f in fd stdin stdout stderr ptmx; do readlink $f; done; echo lost > null; head -c 2 zero | wc -c"
        lines = await lab.script(script)
        assert lines[:6] == [
            f"{name} character special file {numbers} 666"
            for name, numbers in zip(
                "null zero full random urandom tty".split(), "1:3 1:5 1:7 1:8 1:9 5:0".split(), strict=True
            )
        ]
        links = "/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 pts/ptmx".split()
        assert lines[6:] == [*links, "2"]

    lab.run(body)


def test_masked_paths_are_empty_and_missing_ones_no_error(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        script = "wc -c < /etc/passwd; ls /www | wc -l; ls /home | wc -l; echo x > /www/y 2>/dev/null || echo denied; "
        script += "stat -c %F /etc/group"
        masked = ["/etc/passwd", "/etc/group", "/www", "/home", "/nosuch", "/etc/passwd/below"]
        lines = await lab.script(script, maskedPaths=masked)
        assert lines == ["0", "0", "0", "denied", "character special file"]

    lab.run(body)


def test_read_only_paths_can_be_read(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        script = "cat /www/index.html; echo x > /www/index.html || echo denied; echo 1 > /proc/sys/kernel/hostname"
        found = await lab.outcome("sh", "-c", script, readonlyPaths=["/www", "/proc/sys", "/nosuch"])
        assert found.out == "<h1>a page</h1>\ndenied\n" and found.code != 0
        assert "Read-only file system" in found.err

    lab.run(body)


def test_a_read_only_root_leaves_dev_writable(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        script = "touch /x || echo denied; touch /tmp/x || echo denied; echo > /dev/null; touch /dev/shm/x && echo fine"
        found = await lab.outcome("sh", "-c", script, root={"path": "rootfs", "readonly": True})
        assert found.out.split() == ["denied", "denied", "fine"]

    lab.run(body)


def test_every_namespace_is_its_own(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        kinds = ("mnt", "net", "uts", "pid", "ipc", "cgroup")
        inside = await lab.script("for n in " + " ".join(kinds) + "; do readlink /proc/self/ns/$n; done; hostname")
        assert inside.pop() == "lab"
        host = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
        assert len(inside) == 6 and not set(inside) & set(host)

    lab.run(body)


def test_the_container_sees_no_mount_and_no_process_of_the_host(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        mounts = await lab.script("cut -d' ' -f5 /proc/self/mountinfo")
        assert sorted(mounts) == ["/", "/dev", "/dev/pts", "/dev/shm", "/proc", "/sys"]
        assert await lab.script("echo $$; ls -d /proc/[0-9]*") == ["1", "/proc/1"]

    lab.run(body)


# what cannot be started


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH'),
        (["/nosuch"], 127, "no such file or directory"),
        (["/bin/notexec"], 126, "permission denied"),
        (["/etc"], 126, "is a directory"),
        (["/bin/badformat"], 126, "exec format error"),
    ],
)
def test_a_program_that_cannot_run_is_told_and_leaves_nothing(lab: Lab, args: list[str], code: int, text: str) -> None:
    error = refused(lab, *args)
    assert error.exit_code == code and text in str(error)


def test_a_missing_bind_source_is_told_and_leaves_nothing(lab: Lab) -> None:
    source = f"{lab.folder}/absent"
    error = refused(lab, "true", binds=[Mount("bind", source, "/srv", ["rbind"])])
    assert source in str(error) and "no such file or directory" in str(error)


def test_a_container_that_is_never_started_leaves_nothing(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = lab.container()
        shim = await lab.launch(container, lab.spec("touch", "/ran"))
        await until_in_its_root(container)
        assert container.cgroups() != []
        await shim.discard()
        assert not os.path.exists(container.exec_dir) and container.cgroups() == []
        assert not os.path.exists(container.upper("ran")) and not os.path.exists(container.exit_path)

    lab.run(body)


def test_a_container_can_be_given_up_at_any_moment_of_its_preparation(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        clock = asyncio.get_running_loop().time
        for step in range(60):
            shim = await lab.launch(lab.container(), lab.spec("true"))
            until_s = clock() + step % 20 * 0.0004
            while clock() < until_s:
                await asyncio.sleep(0)
            if step % 2:
                await shim.discard()
            shim.disconnect()

    lab.run(body)


def test_a_daemon_that_dies_before_the_start_takes_the_container_along(lab: Lab) -> None:
    async def body(lab: Lab) -> Container:
        container = lab.container()
        shim = await lab.launch(container, lab.spec("touch", "/ran"))
        shim.disconnect()
        return container

    container = lab.run(body)
    assert not os.path.exists(container.upper("ran"))


# binds, and images that mean harm


def test_binds_show_directories_and_files_and_obey_their_options(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        source = f"{lab.folder}/source-{os.urandom(4).hex()}"
        os.mkdir(source)
        with open(f"{source}/file", "w") as file:
            file.write("content")
        binds = [
            Mount("bind", source, "/srv/rw", ["rbind"]),
            Mount("bind", source, "/srv/ro", ["rbind", "ro"]),
            Mount("bind", f"{source}/file", "/etc/passwd", ["rbind", "ro"]),
        ]
        script = "cat /etc/passwd; echo more > /srv/rw/new; cat /srv/ro/new; echo x > /srv/ro/file || echo denied"
        found = await lab.outcome("sh", "-c", script, binds=binds)
        assert found.out == "contentmore\ndenied\n"
        with open(f"{source}/new") as file:
            assert file.read() == "more\n"
        shutil.rmtree(source)

    lab.run(body)


HOSTILE_LINKS = {
    "magic": "/proc/self/fd",
    "magic-number": "/proc/self/fd/3",
    "magic-root": "/proc/1/root",
    "magic-cwd": "/proc/self/cwd",
    "dots": "../../../../../../../../{outside}",
    "absolute": "{outside}",
}


@pytest.mark.parametrize("kind", HOSTILE_LINKS)
def test_a_link_in_the_image_leads_no_mount_out_of_the_root(lab: Lab, kind: str) -> None:
    async def body(lab: Lab) -> None:
        outside = f"{lab.folder}/outside-{os.urandom(4).hex()}"
        source = f"{lab.folder}/source-{os.urandom(4).hex()}"
        for folder in (outside, source):
            os.mkdir(folder)
        with open(f"{source}/marker", "w") as file:
            file.write("bound")
        container = lab.container()
        os.symlink(HOSTILE_LINKS[kind].format(outside=outside), container.upper("trap"))
        binds = [
            Mount("bind", source, "/trap", ["rbind"]),
            Mount("bind", f"{source}/marker", "/trap/file", ["rbind"]),
            Mount("tmpfs", "tmpfs", "/trap/deep/er", []),
        ]
        shim = await lab.launch(container, lab.spec("sleep", "60"), binds=binds)
        try:
            await shim.start()
            inside = f"/proc/{shim.pid}/root"
            # It resolved within the root, if at all.
            if kind in ("dots", "absolute"):
                assert os.path.exists(f"{inside}/{outside}/marker")
        except errors.StartFailed as error:
            assert kind.startswith("magic"), error
        else:
            await lab.end(container)
        shim.disconnect()
        assert os.listdir(outside) == []
        assert sorted(os.listdir(source)) in (["marker"], ["deep", "file", "marker"])
        for folder in (outside, source):
            shutil.rmtree(folder)

    lab.run(body)


def test_an_image_whose_etc_is_a_magic_link_gives_no_file_of_the_host(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = lab.container()
        # An overlay hides the lower /etc behind a link of the upper layer.
        os.symlink("/proc/self/fd", container.upper("etc"))
        with pytest.raises(errors.StartFailed, match="unable to find user app"):
            await lab.start("true", container=container, user="app")
        container.shim.disconnect()

    lab.run(body)


@pytest.mark.parametrize("name", ["dev", "proc", "sys"])
def test_an_image_whose_system_directory_is_a_link_mounts_nothing_on_the_host(lab: Lab, name: str) -> None:
    async def body(lab: Lab) -> list[str]:
        outside = f"{lab.folder}/outside-{os.urandom(4).hex()}"
        os.mkdir(outside)
        container = lab.container()
        os.symlink(f"../../../../../..{outside}", container.upper(name))
        try:
            await lab.start("true", container=container)
            await container.shim.wait_exit()
        except errors.StartFailed:
            pass
        container.shim.disconnect()
        found = os.listdir(outside)
        os.rmdir(outside)
        return found

    before = leaks.mounts("/")
    assert lab.run(body) == []
    assert leaks.mounts("/") == before


def digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


WRITE_TO_ONESELF = """
import os, sys
for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
    for path in ('/proc/self/exe', '/proc/1/exe', *sys.argv[1:]):
        try:
            fd = os.open(path, flags)
            os.write(fd, b'x')
        except OSError as error:
            print(error.strerror)
        else:
            print('WRITTEN')
"""


@pytest.mark.parametrize("entry", ["link", "script"])
@pytest.mark.parametrize("is_powerful", [False, True])
def test_an_image_cannot_write_to_the_interpreter_that_starts_it(lab: Lab, entry: str, is_powerful: bool) -> None:
    """CVE-2019-5736, with everything that the interpreter needs to come up inside the container."""
    host = interpreter.real_interpreter()
    binds = [
        Mount("bind", path, path, ["rbind", "ro"])
        for path in ("/lib", "/lib64", "/usr/lib", os.path.join(sys.base_prefix, "lib"))
        if os.path.isdir(path)
    ]
    before = digest(host), os.stat(host).st_mtime_ns

    async def body(lab: Lab) -> str:
        container = lab.container()
        with open(container.upper("program"), "w") as file:
            file.write(f"#!/proc/self/exe\n{WRITE_TO_ONESELF}")
        os.chmod(container.upper("program"), 0o755)
        args = ["/program"] if entry == "script" else ["/proc/self/exe", "-I", "-S", "/program"]
        changes: dict[str, Any] = {}
        if is_powerful:
            names = [*CAPABILITIES, "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]
            changes["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), names)
        try:
            found = await lab.outcome(*args, container=container, binds=binds, **changes)
        except errors.StartFailed as error:
            container.shim.disconnect()
            return f"refused: {error}"
        return found.out + found.err

    said = lab.run(body)
    assert "WRITTEN" not in said
    assert (digest(host), os.stat(host).st_mtime_ns) == before
    # The attempt was a real one: the interpreter ran in the container, and was kept from writing.
    assert "Read-only file system" in said or "Text file busy" in said or "not permitted" in said, said


def test_a_process_that_joins_cannot_be_traced_or_its_program_written(lab: Lab) -> None:
    host = interpreter.real_interpreter()
    before = digest(host)

    async def body(lab: Lab) -> None:
        script = """
            while :; do
              for p in /proc/[0-9]*; do
                case $p in /proc/1|/proc/$$|/proc/self) continue;; esac
                (echo x >> $p/exe) 2>/dev/null && echo WRITTEN
                cat $p/environ > /dev/null 2>&1
              done
            done"""
        terminal = Terminal()
        container = await lab.start("sh", "-c", script, streams=[terminal.stream(framed=True)])
        for number in range(10):
            process = lab.spec("true")["process"]
            await container.shim.exec(f"e{number}", process, user="", groups=[], tty=False, stream=None)
            assert await container.shim.wait_exec(f"e{number}") == 0
        await lab.end(container)
        assert b"WRITTEN" not in await terminal.read_to_end()
        terminal.sock.close()

    lab.run(body)
    assert digest(host) == before


# exec


async def execute(container: Container, *args: str, user: str = "", tty: bool = False, **changes: Any) -> Terminal:
    """Run a process more; its stream."""
    terminal = Terminal()
    process = {**container.lab.spec(*args)["process"], **changes}
    stream = terminal.stream(framed=not tty)
    try:
        await container.shim.exec("e1", process, user=user, groups=[], tty=tty, stream=stream)
    except BaseException:
        terminal.sock.close()
        raise
    return terminal


def test_a_process_more_sees_the_container_and_its_exit_is_told_before_its_stream_ends(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = await lab.start("sleep", "60")
        script = "id -un; hostname; ls /proc | grep -c ^1$; ls /proc/self/fd; exit 9"
        terminal = await execute(container, "sh", "-c", script, user="app")
        stream = await terminal.read_to_end()
        assert await container.shim.poll_exec("e1") == 9
        assert b"".join(piece for _, piece in frames(stream)).decode().split() == ["app", "lab", "1", *"0123"]
        assert container.shim.running_execs() == []
        terminal.sock.close()
        await lab.end(container)

    lab.run(body)


def test_a_process_more_is_in_all_the_namespaces_and_cgroups(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = await lab.start("sleep", "60")
        terminal = await execute(container, "sleep", "60")
        (pid,) = [
            pid
            for pid in leaks.processes(lab.folder)
            if leaks.command_name(pid) == "sleep" and pid != container.shim.pid
        ]
        for kind in ("mnt", "net", "uts", "pid", "ipc", "cgroup"):
            assert os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/{container.shim.pid}/ns/{kind}")
        cgroups = []
        for one in (pid, container.shim.pid):
            with open(f"/proc/{one}/cgroup") as file:
                cgroups.append(file.read())
        assert cgroups[0] == cgroups[1] and container.id in cgroups[0]
        await container.shim.kill(signal.SIGKILL, exec_id="e1")
        assert await container.shim.wait_exec("e1") == 137
        assert await terminal.read_to_end() == b""
        terminal.sock.close()
        await lab.end(container)

    lab.run(body)


def test_a_process_more_that_cannot_run_is_told_and_the_container_goes_on(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = await lab.start("sleep", "60")
        for args, code in ((["nosuch"], 127), (["/bin/notexec"], 126), (["/etc"], 126)):
            with pytest.raises(errors.StartFailed) as caught:
                await execute(container, *args)
            assert caught.value.exit_code == code
        with pytest.raises(errors.StartFailed, match="unable to find user nosuch"):
            await execute(container, "true", user="nosuch")
        with pytest.raises(errors.StartFailed, match="chdir to cwd"):
            await execute(container, "true", cwd="/proc/self/fd/5")
        terminal = await execute(container, "echo", "alive")
        assert frames(await terminal.read_to_end()) == [(1, b"alive\n")]
        terminal.sock.close()
        await lab.end(container)

    lab.run(body)


def test_a_process_more_may_have_a_terminal(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = await lab.start("sleep", "60")
        script = "tty; read line; stty size; echo got $line"
        terminal = await execute(container, "sh", "-c", script, tty=True)
        await terminal.read_until(b"/dev/pts/0\r\n")
        await container.shim.resize(11, 22, exec_id="e1")
        await terminal.write(b"hello\n")
        assert (await terminal.read_to_end()).endswith(b"11 22\r\ngot hello\r\n")
        assert await container.shim.wait_exec("e1") == 0
        terminal.sock.close()
        await lab.end(container)

    lab.run(body)


def test_execs_end_with_their_container(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = await lab.start("sleep", "60")
        terminal = await execute(container, "sleep", "60")
        await lab.end(container)
        assert await terminal.read_to_end() == b""
        assert await container.shim.wait_exec("e1") == 137
        terminal.sock.close()

    lab.run(body)


# --init


def test_the_reaper_takes_a_hundred_orphans(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        # Busybox's shell waits for its own children only; these lose their parents.
        script = """
            i=0; while [ $i -lt 100 ]; do (true & ) ; i=$((i+1)); done
            while ls -d /proc/[0-9]* | grep -vqE '^/proc/(1|'$$'|[0-9]+)$'; do :; done
            n=1; while [ $n -gt 0 ]; do n=$(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l); done
            cat /proc/1/comm; exit 4"""
        found = await lab.outcome("sh", "-c", script, annotations={"sampan.init": "true"})
        assert found.code == 4, found.err
        assert found.out.strip().startswith("sampan-init")

    lab.run(body)


def test_the_reaper_passes_signals_on_and_is_not_in_the_way_of_the_terminal(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        terminal = Terminal()
        script = "trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"
        container = await lab.start(
            "sh",
            "-c",
            script,
            streams=[terminal.stream(framed=False)],
            tty=True,
            open_stdin=True,
            annotations={"sampan.init": "true"},
        )
        await terminal.read_until(b"ready")
        await container.shim.kill(signal.SIGTERM)
        assert (await container.shim.wait_exit()).exit_code == 6
        terminal.sock.close()
        container.shim.disconnect()

    lab.run(body)


def test_a_program_that_the_reaper_cannot_start_is_told(lab: Lab) -> None:
    assert refused(lab, "/bin/badformat", annotations={"sampan.init": "true"}).exit_code == 126


# deaths


def test_a_killed_shim_takes_its_container_along_and_nothing_is_left(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = await lab.start("sleep", "60")
        exec_terminal = await execute(container, "sleep", "60")
        os.kill(container.shim_pid(), signal.SIGKILL)
        record = await container.shim.wait_exit()
        assert record.exit_code == 137 and record.started_at_ns > 0 and record.error
        assert await container.shim.wait_exec("e1") == 137
        assert container.cgroups() == []
        await until_gone(container.shim.pid)
        assert not os.path.exists(container.exec_dir) and os.path.exists(container.exit_path)
        exec_terminal.sock.close()
        container.shim.disconnect()

    lab.run(body)


def test_a_shim_that_is_killed_before_the_start_fails_it(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = lab.container()
        shim = await lab.launch(container, lab.spec("touch", "/ran"))
        async with asyncio.timeout(5):
            while not os.path.exists(f"{container.exec_dir}/state.json"):
                await asyncio.sleep(0.005)
        os.kill(container.shim_pid(), signal.SIGKILL)
        with pytest.raises(errors.StartFailed):
            await shim.start()
        shim.disconnect()
        assert not os.path.exists(container.upper("ran"))

    lab.run(body)


def test_a_killed_launcher_is_replaced_and_running_containers_go_on(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = await lab.start("sh", "-c", "trap 'exit 8' TERM; while :; do sleep 0.05; done")
        for _ in range(3):
            old = lab.launcher.pid
            os.kill(old, signal.SIGKILL)
            eventually(lambda old=old: gone(old))  # without a turn of the event loop, which does not know then
            found = await lab.outcome("echo", "again")
            assert (found.code, found.out) == (0, "again\n")
            assert lab.launcher.pid != old
        terminal = await execute(container, "echo", "alive")
        assert frames(await terminal.read_to_end()) == [(1, b"alive\n")]
        terminal.sock.close()
        await container.shim.kill(signal.SIGTERM)
        assert (await container.shim.wait_exit()).exit_code == 8
        container.shim.disconnect()

    lab.run(body)


def test_a_killed_spare_is_no_loss(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        await lab.script("true")
        for _ in range(3):
            spares = await idle_shims(lab)
            family = {pid for spare in spares for pid in child_pids(spare)} | spares
            for pid in spares:
                os.kill(pid, signal.SIGKILL)
            await until_gone(*family)
            assert await lab.script("echo fine") == ["fine"]

    lab.run(body)


async def idle_shims(lab: Lab) -> set[int]:
    """The shims that wait for a container, once there are some, with a first process each where spares have one."""
    async with asyncio.timeout(10):
        while True:
            found = {pid for pid in child_pids(lab.launcher.pid) if not gone(pid)}
            if found and (hierarchies().is_v2 or all(child_pids(pid) for pid in found)):
                return found
            await asyncio.sleep(0.01)


@pytest.mark.skipif(hierarchies().is_v2, reason="on cgroup v2 a spare has no first process")
def test_a_killed_first_process_of_a_spare_is_no_loss(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        await lab.script("true")
        for spare in await idle_shims(lab):
            (first,) = child_pids(spare)
            os.kill(first, signal.SIGKILL)
            await until_gone(first)
        assert await lab.script("echo fine") == ["fine"]

    lab.run(body)


def test_a_daemon_that_comes_back_finds_what_runs_and_what_ended(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        running, ended, killed = [await lab.start("sleep", "60") for _ in range(3)]
        pid = running.shim.pid
        await ended.shim.kill(signal.SIGKILL)
        await ended.shim.wait_exit()
        for container in (running, ended, killed):
            container.shim.disconnect()
        os.kill(killed.shim_pid(), signal.SIGKILL)
        await until_gone(killed.shim.pid)

        async def found(container: Container) -> Any:
            return await reconnect(container.exec_dir, container.exit_path, lab.launcher.clean_up)

        async with asyncio.timeout(10):
            while os.path.exists(ended.exec_dir) or not os.path.exists(ended.exit_path):
                await asyncio.sleep(0.01)
        record = await found(ended)
        assert isinstance(record, ExitRecord) and record.exit_code == 137 and not record.error
        record = await found(killed)
        assert isinstance(record, ExitRecord) and record.exit_code == 137 and record.error
        shim = await found(running)
        assert shim.pid == pid and shim.started_at_ns == running.shim.started_at_ns
        running.shim = shim
        terminal = await execute(running, "echo", "alive")
        assert frames(await terminal.read_to_end()) == [(1, b"alive\n")]
        terminal.sock.close()
        assert (await lab.end(running)).exit_code == 137

    lab.run(body)


def test_many_containers_at_once_start_and_leave_nothing(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(lab.outcome("echo", str(number))) for number in range(24)]
        assert [task.result().out for task in tasks] == [f"{number}\n" for number in range(24)]

    lab.run(body)


def test_the_exec_directory_is_nobody_elses(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = await lab.start("sleep", "60")
        assert stat.S_IMODE(os.stat(container.exec_dir).st_mode) == 0o700
        await lab.end(container)

    lab.run(body)
