"""`sampan-runtime` as other engines call it: the runtime as its own victim, what its caller leaves open, races."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import attackimage, evilimage
from support.attackedbundle import COMMAND, Bundle, Json, bundle
from support.attacks import Arena, Outside, both, expect, judge

pytestmark = pytest.mark.needs_sampand
RUNS = 15
PROGRAM = ["program.overwrite_own", json.dumps({"image_program": attackimage.interpreter()})]
SCRIPT = [f"{attackimage.FOLDER}/entry", *PROGRAM]
DIRECT = ["/proc/self/exe", "-I", "-S", f"{attackimage.FOLDER}/run.py", *PROGRAM]


@pytest.fixture(scope="module")
def attackers() -> Iterator[Bundle]:
    """The attackers' image as a bundle."""
    with bundle() as found:
        yield found


def unguarded(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command on a plain copy of the interpreter, told that this is the guarded one."""
    copy = str(folder / "python3")
    shutil.copy(attackimage.interpreter(), copy)
    paths = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    start = f"import sys; sys.path[:0] = {paths!r}; from sampan.runtime.command.main import start; start()"
    environment = {**os.environ, "SAMPAN_RUNTIME_GUARDED": "1", "PYTHONHOME": sys.base_prefix}
    return [copy, "-S", "-c", start], environment


@both
@pytest.mark.parametrize("entry", [SCRIPT, DIRECT], ids=["script", "direct"])
def test_the_command_cannot_be_overwritten(
    attackers: Bundle, tmp_path: Path, entry: list[str], protected: bool
) -> None:
    """CVE-2019-5736 on the command: the image's entry point is /proc/self/exe. Protection: it executes itself anew
    from a read-only mount of the interpreter."""
    if protected:
        done = attackers.run(*entry)
    else:
        command, environment = unguarded(tmp_path)
        done = attackers.run(*entry, command=command, env=environment)
    expect(judge(done.stdout + done.stderr), protected=protected)


@both
def test_descriptors_of_the_caller_are_closed(attackers: Bundle, outside: Outside, protected: bool) -> None:
    """CVE-2024-21626: the engine that calls the runtime has a folder of the host open, and did not mark it. Switched
    off: --preserve-fds, which asks for that."""
    options = () if protected else ("--preserve-fds", "1")
    command = with_open_folder(outside.folder)
    expect(attackers.attack("descriptors.inherited", options=options, command=command), protected=protected)
    arguments = {"secret_path": outside.secret_path}
    verdict = attackers.attack("descriptors.from_descriptors", arguments=arguments, options=options, command=command)
    expect(verdict, protected=protected)


def with_open_folder(path: str) -> list[str]:
    """The command, called with a folder of the host as descriptor 3."""
    return ["sh", "-c", 'exec 3<"$0"; exec "$@"', path, COMMAND]


@pytest.mark.parametrize("options", [(), ("--preserve-fds", "1")], ids=["closed", "kept"])
def test_none_is_the_working_directory(attackers: Bundle, outside: Outside, options: tuple[str, ...]) -> None:
    """The same, with the working directory set to each descriptor that the caller or the runtime may have open; even
    to one that was kept on purpose."""
    for fd in range(3, 16):

        def change(spec: Json, fd: int = fd) -> None:
            spec["process"]["cwd"] = f"/proc/self/fd/{fd}"

        verdict = attackers.attack(
            "descriptors.from_working_directory",
            arguments={"secret_path": outside.secret_path},
            change=change,
            command=with_open_folder(outside.folder),
            options=options,
            may_be_refused=True,
        )
        assert not verdict.succeeded, verdict.detail


@pytest.fixture
def procs(outside: Outside) -> str:
    """A volume with two directories, and in one of them the files that would be protected in /proc."""
    folder = outside.make("procs")
    for name in ("proc", "false"):
        os.makedirs(f"{folder}/{name}/sys/kernel")
        for path in ("sysrq-trigger", "kcore", "keys", "timer_list", "sys/kernel/core_pattern"):
            open(f"{folder}/{name}/{path}", "w").close()
    return folder


def test_proc_in_a_shared_volume_is_protected(arena: Arena, procs: str) -> None:
    """CVE-2023-27561, CVE-2019-19921: /proc of the image is a link into a volume, which the config mounts first.
    Another container exchanges what it leads to, after /proc has been mounted there and before its settings are
    made read-only. (The naive runtime that loses this is in test_mount_races.)"""

    def change(spec: Json) -> None:
        volume = {"destination": "/vol", "type": "bind", "source": procs, "options": ["bind", "rw"]}
        spec["mounts"].insert(0, volume)

    arguments = {"folders": ["/proc", "/vol/proc", "/vol/false"]}
    with bundle(evilimage.linked_proc()) as linked, arena.exchanging(procs, "proc", "false"):
        for _ in range(RUNS):
            verdict = linked.attack(
                "mounting.any_writable_proc", arguments=arguments, change=change, may_be_refused=True
            )
            assert not verdict.succeeded, verdict.detail


@pytest.mark.parametrize(
    "place", ["/proc", "/proc/", "//proc/self", "/tmp/../proc/self", "/./proc/sys", "/proc//sys/kernel", "proc/sys"]
)
def test_no_name_for_proc_takes_a_volume(attackers: Bundle, outside: Outside, place: str) -> None:
    """CVE-2019-16884: a config with a volume of false files on /proc or a part of it, under another spelling than a
    comparison of texts would find."""
    folder = outside.make("false")
    for path in (
        "sys/kernel/core_pattern",
        "kernel/core_pattern",
        "core_pattern",
        "oom_score_adj",
        "self/oom_score_adj",
    ):
        os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
        with open(f"{folder}/{path}", "w") as file:
            file.write("false")

    def change(spec: Json) -> None:
        spec["mounts"].append({"destination": place, "type": "bind", "source": folder, "options": ["bind", "rw"]})
        spec["process"]["oomScoreAdj"] = 500

    look = "cat /proc/sys/kernel/core_pattern /proc/self/oom_score_adj"
    assert "false" not in attackers.run("sh", "-c", look, change=change).stdout
    with open(f"{folder}/self/oom_score_adj") as file:
        assert file.read() == "false"
