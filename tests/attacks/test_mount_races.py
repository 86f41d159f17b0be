"""What an image or another container puts in the way while mounts are made: links, exchanged names, false files.

CVE-2019-16884, CVE-2019-19921, CVE-2021-30465, CVE-2023-27561, CVE-2025-31133, CVE-2025-52881. Those that need a
config which the engine does not make are in test_command_races.
"""

import os
import shutil

import pytest

from support import attackimage, evilimage, naive
from support.api import Refused
from support.attacks import PRIVILEGED, Arena, Outside, both, expect, judge

STARTS = 10
UNTOUCHED = "untouched"
# Where a mount would take the place of files that the runtime writes to or reads.
IN_PROC = (
    "/proc /proc/self /proc/thread-self /proc/self/attr /proc/1 /proc/sys /proc/sys/net/ipv4 /proc/sys/kernel".split()
)


@pytest.fixture(params=[False, True], ids=["fast", "slowly"])
def target(request: pytest.FixtureRequest, arena: Arena) -> Arena:
    """The engine; and the engine with pauses between the steps of a launch, so that each race can be won."""
    return request.getfixturevalue("sabotaged")("step-pauses") if request.param else arena


def verdicts(
    target: Arena, program: str, *, host: dict[str, object], image: str = "", **arguments: object
) -> list[str]:
    """What the attack got in the containers of several starts; those that the engine refused got nothing."""
    command = attackimage.command(program, **arguments)
    fields = {"image": image} if image else {}
    printed = [target.try_start(*command, host={"NetworkMode": "none", **host}, **fields) for _ in range(STARTS)]
    found = [judge(text) for text in printed if text]
    return [verdict.detail for verdict in found if verdict.succeeded]


@pytest.fixture
def shared(outside: Outside) -> str:
    """A volume with a directory, and a link of that directory's size to a folder of the host."""
    folder = outside.make("shared")
    os.mkdir(f"{folder}/here")
    os.symlink(outside.make("elsewhere"), f"{folder}/there")
    return folder


@pytest.fixture
def planted(outside: Outside) -> str:
    """A volume of the attacker's, whose mount is to go astray."""
    folder = outside.make("planted")
    os.mkdir(f"{folder}/proof")
    return folder


def test_a_mount_stays_in_the_root(target: Arena, outside: Outside, shared: str, planted: str) -> None:
    """CVE-2021-30465: a container shares a volume with others that start, and exchanges the directory on which they
    mount for a link to a folder of the host, between the look at it and its use."""
    with target.exchanging(shared, "here", "there"):
        host = {"Binds": [f"{shared}:/vol", f"{planted}:/vol/here"]}
        assert verdicts(target, "mounting.vanished", mark="/planted", host=host) == []


def test_a_naive_mount_does_not(arena: Arena, outside: Outside, shared: str, planted: str) -> None:
    """The same attack on a runtime that checks a joined path, and mounts on it."""
    with arena.exchanging(shared, "here", "there"):
        root, volume = os.path.split(shared)
        there = f"{outside.folder}/elsewhere/proof"
        # The link leads to a sibling of the volume, so the root is the volume itself, bound somewhere.
        assert naive.bind(f"{root}/{volume}", planted, "/here", escaped=lambda: os.path.exists(there))


@pytest.fixture
def false_proc(outside: Outside) -> str:
    """A volume with an empty directory and a false /proc."""
    folder = outside.make("procs")
    os.mkdir(f"{folder}/proc")
    _make_false_proc(f"{folder}/false")
    return folder


def _make_false_proc(folder: str) -> list[str]:
    files = [
        f"{folder}/{path}"
        for path in (
            "self/oom_score_adj self/attr/exec self/attr/current self/attr/apparmor/exec thread-self/attr/exec"
            " 1/oom_score_adj sys/net/ipv4/ip_unprivileged_port_start sys/net/ipv4/ping_group_range"
            " sys/kernel/core_pattern sys/kernel/domainname kcore keys timer_list sysrq-trigger"
        ).split()
    ]
    for path in files:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(UNTOUCHED)
    return files


def test_proc_behind_an_exchanged_link_is_protected(target: Arena, false_proc: str) -> None:
    """CVE-2023-27561, CVE-2019-19921: /proc of the image is a link into a shared volume. Another container exchanges
    the directory it leads to once /proc is mounted on it, so that masks and read-only mounts go onto a false one."""
    with (
        target.imported("smpx-linked:1", evilimage.linked_proc()) as image,
        target.exchanging(false_proc, "proc", "false"),
    ):
        host = {"Binds": [f"{false_proc}:/vol"]}
        folders = ["/proc", "/vol/proc", "/vol/false"]
        assert verdicts(target, "mounting.any_writable_proc", folders=folders, host=host, image=image) == []


def test_a_naive_runtime_leaves_it_unprotected(arena: Arena, false_proc: str) -> None:
    """The same attack on a runtime that goes through the link twice."""
    with naive.extracted(evilimage.linked_proc()) as root, arena.exchanging(false_proc, "proc", "false"):
        os.remove(f"{root}/proc")
        os.symlink(f"{false_proc}/proc", f"{root}/proc")
        assert naive.protect_proc(root, [f"{false_proc}/proc", f"{false_proc}/false"])


@pytest.mark.parametrize("is_race", [False, True], ids=["link", "exchanged"])
def test_masks_are_not_made_of_the_images_null(target: Arena, false_dev: str, is_race: bool) -> None:
    """CVE-2025-31133: files are masked by mounting /dev/null over them. Put a link to a kernel file in its place, or
    exchange the two while a container starts: masked files would show that file instead."""
    host: dict[str, object] = {"Binds": [f"{false_dev}:/dev"]}
    if is_race:
        with target.exchanging(false_dev, "null", "node"):
            found = verdicts(target, "mounting.masked", host=host)
    else:
        found = verdicts(target, "mounting.masked", host=host)
    assert found == []


def test_naive_masks_are(false_dev: str) -> None:
    """The same on a runtime that masks by the image's /dev/null."""
    if not os.path.exists("/proc/timer_list"):
        pytest.skip("this kernel has no /proc/timer_list to show instead")
    with naive.extracted() as root:
        os.rmdir(f"{root}/dev")
        os.symlink(false_dev, f"{root}/dev")
        assert naive.mask(root, "/proc/keys")


@pytest.mark.parametrize("place", IN_PROC)
def test_nothing_is_written_to_a_false_proc(arena: Arena, outside: Outside, place: str) -> None:
    """CVE-2019-16884, CVE-2025-52881: a volume with false files on /proc, or on a part of it, where the runtime writes
    labels, limits and settings: they would not take effect, or another file would get them, such as the trigger of
    sysrq."""
    folder = outside.make("proc")
    files = _make_false_proc(folder)
    source = folder + place.removeprefix("/proc").replace("/proc/1", "/1")
    host: dict[str, object] = {
        "Binds": [f"{source}:{place}"],
        "OomScoreAdj": 500,
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "1000"},
    }
    for tty in (False, True):
        arena.try_start("true", host=host, Tty=tty)
    for path in files:
        with open(path) as file:
            assert file.read() == UNTOUCHED, path


def test_a_naive_write_goes_there(outside: Outside) -> None:
    """The same on a runtime that writes to what is at /proc in the container."""
    files = _make_false_proc(f"{outside.folder}/root/proc")
    with open(f"{outside.folder}/root/proc/self/oom_score_adj", "w") as file:
        file.write("500")
    with open(files[0]) as file:
        assert file.read() != UNTOUCHED


FALSE_STATUS = {f"self/{name}": "CapBnd:\t0000000000000000\n" for name in ("status", "task/1/status")}


def test_a_false_proc_gives_no_capabilities(arena: Arena, outside: Outside) -> None:
    """/proc of the image is a link into a volume, that another container has filled or the image itself fills: who
    asks /proc, in the container, what the bounding set of capabilities is, to drop what is too much of it, is told
    that there is nothing to drop. Root would have the rest back with the next execve."""
    folder = outside.make("vol")
    for name, text in FALSE_STATUS.items():
        os.makedirs(f"{folder}/proc/{os.path.dirname(name)}", exist_ok=True)
        with open(f"{folder}/proc/{name}", "w") as file:
            file.write(text)
    with arena.imported("smpx-status:1", evilimage.linked_proc(FALSE_STATUS), changes="VOLUME /vol") as name:
        for host in ({}, {"Binds": [f"{folder}:/vol"]}):
            printed = arena.try_start(*attackimage.command("files.bounding_set"), image=name, host=host)
            assert not printed or not judge(printed).succeeded, printed


def test_nor_to_an_exec(arena: Arena, outside: Outside) -> None:
    """The same for `docker exec`, where the container's own programs have had the time to put a false /proc there: as
    a volume, if the engine mounts one."""
    folder = outside.make("proc")
    os.makedirs(f"{folder}/self")
    with open(f"{folder}/self/status", "w") as file:
        file.write(FALSE_STATUS["self/status"])
    made = arena.api.create(arena.image, "sleep", "60", host={"Binds": [f"{folder}:/proc"]}, **arena.fields({}))
    try:
        arena.api.start(made)
    except Refused:
        return
    else:
        verdict = arena.attack_by_exec(made, "files.bounding_set")
        assert not verdict.succeeded, verdict.detail
    finally:
        arena.api.remove(made)


@both
def test_the_bounding_set_is_small(arena: Arena, protected: bool) -> None:
    """Look for capabilities that the next execve would bring."""
    expect(arena.attack("files.bounding_set", host=None if protected else PRIVILEGED), protected=protected)


@pytest.mark.parametrize("place", ["/proc", "/proc/self", "/proc/sys"])
def test_a_volume_does_not_take_the_place_of_proc(arena: Arena, outside: Outside, place: str) -> None:
    """What is written there later, by programs of the container that drop privileges of theirs, goes nowhere, too: as
    with Docker, the engine refuses to mount on /proc or below."""
    folder = outside.make("proc")
    assert arena.try_start("echo", "started", host={"Binds": [f"{folder}:{place}"]}) == ""
    assert arena.try_start("echo", "started", host={"Tmpfs": {place: ""}}) == ""


@pytest.mark.parametrize(
    "place", ["/to-proc", "/to-proc/self", "/to-proc/sys/kernel", "/to-self", "/to-self/attr", "/up"]
)
def test_no_link_leads_a_volume_to_proc(arena: Arena, outside: Outside, place: str) -> None:
    """The same by links of the image: the volume's place is harmless by its name, and a link leads it to /proc."""
    folder = outside.make("proc")
    files = _make_false_proc(folder)
    shutil.copytree(f"{folder}/self", folder, dirs_exist_ok=True)
    shutil.copytree(f"{folder}/sys/kernel", folder, dirs_exist_ok=True)
    links = {"to-proc": "/proc", "to-self": "proc/self", "up": "bin/../proc/thread-self"}
    with arena.imported("smpx-links:1", evilimage.with_links(links)) as image:
        look = [
            "sh",
            "-c",
            "cat /proc/sys/kernel/core_pattern /proc/self/oom_score_adj /proc/thread-self/oom_score_adj",
        ]
        host: dict[str, object] = {"Binds": [f"{folder}:{place}"], "OomScoreAdj": 500}
        assert UNTOUCHED not in arena.try_start(*look, image=image, host=host)
    for path in files:
        with open(path) as file:
            assert file.read() == UNTOUCHED, path


def test_privileged_is_what_it_takes(arena: Arena) -> None:
    """The looks at settings and masks above do find what is not protected."""
    found = arena.attack("mounting.any_writable_proc", folders=["/proc"], host=PRIVILEGED)
    assert found.succeeded, found.detail
