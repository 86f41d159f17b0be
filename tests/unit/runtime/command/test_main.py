import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sampan.runtime.command import main as program
from sampan.runtime.command.context import Context
from sampan.runtime.command.store import Container

Make = Callable[..., Container]


def run(*words: str, root: str = "/nowhere") -> int:
    return program.main(["--root", root, *words])


def test_a_failure_is_one_line_of_logrus(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("state", "none") == 1
    err = capfd.readouterr().err
    assert err.startswith('time="') and err.endswith('level=error msg="container does not exist: none"\n')


def test_the_last_line_of_a_json_log_says_why(tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.json"
    assert program.main(["--log", str(log), "--log-format", "json", "state", "none"]) == 1
    assert json.loads(log.read_text().splitlines()[-1])["msg"] == "container does not exist: none"
    assert capfd.readouterr().err == "container does not exist: none\n"


def test_an_unknown_verb_is_told_as_runc_does(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("fly") == 3
    assert "No help topic for 'fly'" in capfd.readouterr().err
    assert run("help", "fly") == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nope"], "flag provided but not defined: -nope"),
        (["--log-format=invalid", "list"], "invalid log-format: invalid"),
        (["--log=invalid:/path", "list"], "unknown log type specified"),
        (["--log-level=loud", "list"], "unknown log-level"),
        (["--cgroup-manager=openrc", "list"], "unknown cgroup manager specified: openrc"),
        (["--rootless=maybe", "list"], "invalid value for --rootless: maybe"),
        (["state"], "requires exactly 1 argument(s)"),
        (["state", "a", "b"], "requires exactly 1 argument(s)"),
        (["kill"], "requires a minimum of 1 argument(s)"),
        (["kill", "a", "b", "c"], "requires a maximum of 2 argument(s)"),
        (["list", "a"], "requires exactly 0 argument(s)"),
        (["ps"], "requires a minimum of 1 argument(s)"),
        (["state", "--nope", "a"], "flag provided but not defined: -nope"),
        (["state", "a b"], "invalid container ID format"),
    ],
)
def test_wrong_words_fail(words: list[str], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 1
    assert message in capfd.readouterr().err.replace('\\"', '"')


def test_help_is_printed_for_the_program_and_its_verbs(capfd: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["help"], ["-h"]):
        assert program.main(words) == 0
        assert "USAGE:\n   sampan-runtime [global options]" in capfd.readouterr().out
    for words in (["kill", "--help"], ["help", "kill"]):
        assert program.main(words) == 0
        assert "sampan-runtime kill [command options] CONTAINER [SIGNAL]" in capfd.readouterr().out


@pytest.mark.parametrize("verb", program.VERBS)
def test_every_verb_has_its_own_help(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert program.main([verb, "--help"]) == 0
    out = capfd.readouterr().out
    assert f"sampan-runtime {verb} - " in out
    assert f"Usage: crun [OPTION...] {verb} " in out


def test_a_defect_of_ours_reaches_the_log(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(root: str) -> list[Container]:
        raise RuntimeError("a defect")

    monkeypatch.setattr("sampan.runtime.command.verbs.list.list_all", fail)
    log = tmp_path / "log"
    words = ["--root", str(tmp_path), "--log", str(log), "--log-format=json", "--debug", "list"]
    assert program.main(words) == 1
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[0]["msg"] == "command line: list"
    assert "RuntimeError: a defect" in lines[1]["msg"] and lines[1]["level"] == "debug"
    assert lines[-1]["msg"] == "internal error: RuntimeError: a defect"
    capfd.readouterr()


def seen_context(monkeypatch: pytest.MonkeyPatch, *words: str) -> Context:
    """What a verb gets for these global options."""
    seen: list[Context] = []

    def look(context: Context, options: object) -> int:
        seen.append(context)
        return 7

    monkeypatch.setattr("sampan.runtime.command.verbs.list.run", look)
    assert program.main([*words, "list"]) == 7
    return seen[0]


def test_global_options_reach_the_verb(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    words = ["--root", str(tmp_path), "--systemd-cgroup", "--debug", "--criu=/x/criu", "--rootless=true"]
    context = seen_context(monkeypatch, *words)
    assert (context.root, context.cgroup_manager, context.debug) == (str(tmp_path), "systemd", True)
    assert (context.criu, context.rootless) == ("/x/criu", True)


def test_a_relative_root_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert seen_context(monkeypatch, "--root", "below").root == f"{tmp_path}/below"


def test_a_user_has_a_root_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    context = seen_context(monkeypatch)
    assert context.root == f"{tmp_path}/sampan-runtime"
    assert context.rootless
    assert os.stat(context.root).st_mode & 0o7777 == 0o1700
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(program, "_in_user_namespace", lambda: False)
    context = seen_context(monkeypatch)
    assert (context.root, context.rootless) == (program.DEFAULT_ROOT, False)


def test_root_of_a_users_namespace_is_that_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(program, "_in_user_namespace", lambda: True)
    monkeypatch.setenv("USER", "bob")
    assert seen_context(monkeypatch, "--root", str(tmp_path)).rootless
    monkeypatch.setenv("USER", "root")
    assert not seen_context(monkeypatch, "--root", str(tmp_path)).rootless


DEAR = set(
    "argparse collections contextlib dataclasses enum functools json logging pathlib re signal socket subprocess"
    " tempfile typing".split()
)
SMALL = set(
    "errors base base.atomicfile base.failpoints base.jsontext runtime runtime.command runtime.command.context"
    " runtime.command.destroy runtime.command.log runtime.command.main runtime.command.options runtime.command.output"
    " runtime.command.signals runtime.command.store runtime.command.verbs".split()
)


@pytest.mark.parametrize("verb", ["state", "kill", "delete", "list", "create", "start", "run", "exec"])
def test_the_verbs_of_every_container_load_few_modules(verb: str) -> None:
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
before = set(sys.modules)
from sampan.runtime.command.main import _load
_load({verb!r})
print(*sorted(set(sys.modules) - before))
"""
    found = subprocess.run([sys.executable, "-IS", "-c", script], stdout=subprocess.PIPE, check=True, text=True)
    loaded = set(found.stdout.split())
    assert not loaded & DEAR
    if verb in ("state", "kill", "delete", "list"):
        ours = {name.removeprefix("sampan.") for name in loaded if name.startswith("sampan.")}
        assert {name for name in ours if not name.startswith("runtime.command.verbs.")} <= SMALL
        assert "ctypes" not in loaded
