"""`sampan-runtime` as other engines call it: the runtime as its own victim, and what its caller leaves open."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import attackimage
from support.attackedbundle import COMMAND, Bundle, Json, bundle
from support.attacks import Outside, both, expect, judge

pytestmark = pytest.mark.needs_sampand
PROGRAM = ["program.overwrite_own", json.dumps({"image_program": attackimage.interpreter()})]
SCRIPT = [f"{attackimage.FOLDER}/entry", *PROGRAM]
DIRECT = ["/proc/self/exe", "-I", "-S", f"{attackimage.FOLDER}/run.py", *PROGRAM]


@pytest.fixture(scope="module")
def attackers() -> Iterator[Bundle]:
    """The attackers' image as a bundle."""
    with bundle() as found:
        yield found


def unguarded(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command on a plain copy of the interpreter, without what would execute it from a guarded one."""
    copy = str(folder / "python3")
    shutil.copy(attackimage.interpreter(), copy)
    paths = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    start = (
        f"import sys; sys.path[:0] = {paths!r}; from sampan.runtime.command import guard, main; "
        "guard.enter = lambda: None; main.start()"
    )
    return [copy, "-S", "-c", start], {**os.environ, "PYTHONHOME": sys.base_prefix}


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
