"""Leaked descriptors and working directories: CVE-2024-21626."""

from collections.abc import Callable

import pytest

from support import attackimage
from support.attacks import Arena, Outside, both, expect, judge
from support.sabotage import LEAKED_FD

FIRST_FDS = range(3, 12)
WORKING_DIRECTORIES = [f"/proc/self/fd/{fd}" for fd in FIRST_FDS] + [
    "/proc/self/cwd/../../..",
    "/proc/thread-self/fd/7",
]


@pytest.fixture
def target(request: pytest.FixtureRequest, arena: Arena, protected: bool) -> Arena:
    """Protection: everything but 0 to 2 is closed; nothing of the host is open when the root has been entered."""
    return arena if protected else request.getfixturevalue("sabotaged")("leaked-descriptor")


@both
@pytest.mark.parametrize("terminal", [False, True], ids=["pipes", "terminal"])
def test_the_first_process_has_three_descriptors(target: Arena, protected: bool, terminal: bool) -> None:
    """Look for descriptors that the runtime forgot to close: a directory of the host among them is a way out."""
    expect(target.attack("descriptors.inherited", fields={"Tty": terminal}), protected=protected)


@both
@pytest.mark.parametrize("fields", [{}, {"Tty": True}, {"Privileged": True}], ids=["plain", "terminal", "privileged"])
def test_an_exec_has_three_descriptors(target: Arena, protected: bool, fields: dict[str, bool]) -> None:
    """The same in a process that joins later, with a terminal or as a privileged one, too."""
    with target.container("sleep", "60") as made:
        body = {"Cmd": attackimage.command("descriptors.inherited"), "AttachStdout": True, **target.fields(fields)}
        exec_id = target.api("POST", f"/containers/{made}/exec", body)["Id"]
        raw = target.api("POST", f"/exec/{exec_id}/start", {"Detach": False, "Tty": fields.get("Tty", False)})
        text = raw.decode(errors="replace")
        expect(judge(text[text.index("VERDICT") :]), protected=protected)


@both
def test_no_descriptor_leads_to_the_host(target: Arena, outside: Outside, protected: bool) -> None:
    """Change into every descriptor that might be open, and go up from there to a file of the host."""
    expect(target.attack("descriptors.from_descriptors", secret_path=outside.secret_path), protected=protected)


def test_a_working_directory_is_never_one_of_the_hosts(arena: Arena, outside: Outside) -> None:
    """Set the working directory to a descriptor that the runtime has open while it sets the container up: if that is
    a directory of the host, the program starts there, outside of its root, and goes up from there."""
    command = attackimage.command("descriptors.from_working_directory", secret_path=outside.secret_path)
    for folder in WORKING_DIRECTORIES:
        printed = arena.try_start(*command, WorkingDir=folder)
        assert not printed or not judge(printed).succeeded, folder
    with arena.container("sleep", "60") as made:
        for folder in WORKING_DIRECTORIES:
            printed = arena.api.exec(made, *command, **arena.fields({"WorkingDir": folder}))[1].decode()
            assert "VERDICT" not in printed or not judge(printed).succeeded, folder


@pytest.mark.needs_sampand
@pytest.mark.parametrize(
    "lacking", [["working-directory"], ["leaked-descriptor"], []], ids=lambda names: "".join(names)
)
def test_that_takes_both_a_leak_and_a_careless_chdir(
    sabotaged: Callable[..., Arena], outside: Outside, lacking: list[str]
) -> None:
    """The working directory again, in a daemon that leaks the host's root as one descriptor: entered by its name it
    is the way out (which shows that the attack works); with either of the two defences left, it is not."""
    target = sabotaged(*({"working-directory", "leaked-descriptor"} - set(lacking)))
    command = attackimage.command("descriptors.from_working_directory", secret_path=outside.secret_path)
    printed = target.try_start(*command, WorkingDir=f"/proc/self/fd/{LEAKED_FD}")
    assert bool(printed and judge(printed).succeeded) is not bool(lacking), printed
    with target.container("sleep", "60") as made:
        fields = target.fields({"WorkingDir": f"/proc/self/fd/{LEAKED_FD}"})
        printed = target.api.exec(made, *command, **fields)[1].decode()
        assert ("VERDICT" in printed and judge(printed).succeeded) is not bool(lacking), printed
