"""Configs that our engine does not make, but others may: /proc in a volume, a volume as /dev, other spellings of /proc.

CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2025-31133, CVE-2025-52565.
"""

import os
from collections.abc import Iterator

import pytest

from support import attackimage, evilimage, naive
from support.attackedbundle import Bundle, Json, bundle
from support.attacks import Arena, Outside, judge

pytestmark = pytest.mark.needs_sampand
RUNS = 15
UNTOUCHED = "untouched"
IS_RACE = pytest.mark.parametrize("is_race", [False, True], ids=["link", "exchanged"])


@pytest.fixture(scope="module")
def attackers() -> Iterator[Bundle]:
    """The attackers' image as a bundle."""
    with bundle() as found:
        yield found


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


def with_dev(folder: str, spec: Json) -> None:
    """Let /dev be a volume, with what belongs into it mounted there."""
    for mount in spec["mounts"]:
        if mount["destination"] == "/dev":
            mount |= {"type": "bind", "source": folder, "options": ["bind", "rw"]}


@IS_RACE
def test_the_console_is_where_it_belongs(arena: Arena, attackers: Bundle, false_dev: str, is_race: bool) -> None:
    """CVE-2025-52565: /dev/console is mounted before masks and limits hold. Let it be a link, or exchange it for one,
    so that the mount goes over another file, or another file comes to be the console."""
    command = attackimage.command("mounting.misplaced_console", allowed=["/dev/console", "/dev/plain"])

    def start() -> list[str]:
        seen = [attackers.run_on_terminal(*command, change=lambda spec: with_dev(false_dev, spec)) for _ in range(RUNS)]
        assert all("VERDICT" in text or "/dev/console" in text for text in seen), seen
        found = [judge(text) for text in seen if "VERDICT" in text]
        assert found or not is_race, seen  # without the race each is refused
        return [verdict.detail for verdict in found if verdict.succeeded]

    if is_race:
        with arena.exchanging(false_dev, "console", "plain"):
            assert start() == []
    else:
        assert start() == []
    with open(f"{false_dev}/victim") as file:
        assert file.read() == UNTOUCHED


def test_a_naive_console_goes_elsewhere(false_dev: str) -> None:
    """The same on a runtime that mounts on the name."""
    os.remove(f"{false_dev}/console")
    os.symlink("victim", f"{false_dev}/console")
    with naive.extracted() as root:
        os.rmdir(f"{root}/dev")
        os.symlink(false_dev, f"{root}/dev")
        assert naive.mount_console(root, f"{false_dev}/victim")


@IS_RACE
def test_masks_are_not_made_of_the_images_null(arena: Arena, attackers: Bundle, false_dev: str, is_race: bool) -> None:
    """CVE-2025-31133: files are masked by mounting /dev/null over them. Put a link to a kernel file in its place, or
    exchange the two while a container starts: masked files would show that file instead."""

    def start() -> list[str]:
        found = [
            attackers.attack("mounting.masked", change=lambda spec: with_dev(false_dev, spec)) for _ in range(RUNS)
        ]
        return [verdict.detail for verdict in found if verdict.succeeded]

    if is_race:
        with arena.exchanging(false_dev, "null", "node"):
            assert start() == []
    else:
        assert start() == []


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
