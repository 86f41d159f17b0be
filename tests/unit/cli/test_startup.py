"""The modules that a start of `sampan` loads: the budget of docs on start-up time, as a list."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sampan
from support.scripted_engine import ScriptedEngine, reply_json

SOURCE = os.path.dirname(os.path.dirname(sampan.__file__))
PROGRAM = f"""
import sys
before = set(sys.modules)
sys.path.insert(0, {SOURCE!r})
from sampan.cli.main import main
main(sys.argv[1:])
sys.stderr.write("\\n".join(sorted(set(sys.modules) - before)))
"""
# Parts of the interpreter, or `os` and what it brings; everything else is ours.
STANDARD = {
    "__future__",
    "_collections_abc",
    "_json",
    "_socket",
    "_stat",
    "errno",
    "fcntl",
    "gc",
    "genericpath",
    "os",
    "os.path",
    "posixpath",
    "select",
    "stat",
}
ALWAYS = {
    "sampan",
    "sampan.cli",
    "sampan.cli.command",
    "sampan.cli.commands",
    "sampan.cli.flags",
    "sampan.cli.kinds",
    "sampan.cli.main",
    "sampan.errors",
}
CALLING = {
    "sampan.base",
    "sampan.base.jsontext",
    "sampan.client",
    "sampan.client.engine",
    "sampan.client.hosts",
    "sampan.client.http",
    "sampan.client.jsontext",
    "sampan.client.transport",
}
LISTING = {
    "sampan.cli.container",
    "sampan.cli.container.ps",
    "sampan.cli.output",
    "sampan.cli.output.listing",
    "sampan.cli.output.table",
    "sampan.cli.output.times",
    "sampan.cli.output.units",
}


def loaded(*words: str, host: str) -> tuple[set[str], set[str]]:
    """(our modules, others) that a command loads."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, *words],
        env={"SAMPAN_HOST": host},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    names = set(done.stderr.splitlines())
    ours = {name for name in names if name.partition(".")[0] == "sampan"}
    return ours, names - ours


def test_help_loads_no_command() -> None:
    ours, others = loaded("--help", host="unix:///nonexistent")
    assert ours == ALWAYS | {"sampan.cli.help", "sampan.cli.root_help"}
    assert others <= STANDARD


def test_ps_loads_its_own_modules_and_the_client(tmp_path: Path) -> None:
    container = {"Id": "ab" * 32, "Image": "i", "Created": 1, "Command": "c", "Names": ["/n"]}
    with ScriptedEngine(tmp_path, lambda _: reply_json([container])) as fake:
        ours, others = loaded("ps", host=fake.url)
    assert ours == ALWAYS | CALLING | LISTING
    assert others <= STANDARD


@pytest.mark.parametrize("words", [["stop", "x"], ["inspect", "x"], ["create", "i"], ["images"]])
def test_no_command_loads_a_slow_module(tmp_path: Path, words: list[str]) -> None:
    with ScriptedEngine(tmp_path, lambda _: reply_json({"Id": "x"} if words[0] != "images" else [])) as fake:
        _, others = loaded(*words, host=fake.url)
    assert others <= STANDARD
