"""Overwriting the runtime: CVE-2019-5736."""

import json
from collections.abc import Callable

import pytest

from support import attackimage
from support.attacks import Arena, both, expect, judge

pytestmark = pytest.mark.needs_sampand
PROGRAM = "program.overwrite_own"
ARGUMENT = json.dumps({"image_program": attackimage.interpreter()})
AS_SCRIPT = [f"{attackimage.FOLDER}/entry", PROGRAM, ARGUMENT]
DIRECTLY = ["/proc/self/exe", "-I", "-S", f"{attackimage.FOLDER}/run.py", PROGRAM, ARGUMENT]
ENTRIES = pytest.mark.parametrize("entry", [AS_SCRIPT, DIRECTLY], ids=["script", "direct"])


@pytest.fixture
def target(arena: Arena, sabotaged: Callable[..., Arena], protected: bool) -> Arena:
    """Protection: the launcher's interpreter is executed from a read-only mount of its file."""
    return arena if protected else sabotaged("guarded-interpreter")


@both
@ENTRIES
def test_an_entry_point_that_is_the_runtime_itself_cannot_change_it(
    target: Arena, protected: bool, entry: list[str]
) -> None:
    """The image's command is /proc/self/exe, or a script with that as its interpreter: what is executed is then the
    host's own interpreter, on which the runtime runs, but with the libraries and the code of the image. That code
    opens its program for writing, and gives it a mode."""
    expect(judge(target.printed(*entry)), protected=protected)


@both
@ENTRIES
def test_an_exec_of_the_runtime_itself_cannot_change_it(target: Arena, protected: bool, entry: list[str]) -> None:
    """The same through `docker exec`, when the administrator runs a program that the container has replaced by a
    script for /proc/self/exe: the original way of the CVE."""
    with target.container("sleep", "60") as made:
        printed = target.api.exec(made, *entry, **target.fields({}))[1].decode()
        expect(judge(printed), protected=protected)
