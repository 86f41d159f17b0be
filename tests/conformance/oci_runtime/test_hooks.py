"""Hooks: their order, what they are told, what their failure does (runtime-spec, config.md "POSIX-platform Hooks")."""

import json

import pytest

from support.ociruntime import HOLD, Json, Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]

ON_CREATE = ["prestart", "createRuntime", "createContainer"]
KINDS = [*ON_CREATE, "startContainer", "poststart", "poststop"]
TIMED = [kind for kind in KINDS if kind != "poststart"]


def shell(script: str, **fields: object) -> Json:
    """A hook that runs a script."""
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **fields}


def order(lab: Lab) -> list[str]:
    """The hooks that have run; without poststart, for which runc does not wait until the start."""
    return [kind for kind in lab.read("order").split() if kind != "poststart"]


def told(lab: Lab, kind: str) -> Json:
    found: Json = json.loads(lab.read(f"{kind}.json"))
    return found


@pytest.fixture
def listening(lab: Lab) -> Lab:
    """A container whose hooks leave their name in `order` and their standard input in <kind>.json, below the root."""

    def hook(kind: str, folder: str) -> Json:
        return shell(f"cat > {folder}/{kind}.json; echo {kind} >> {folder}/order")

    lab.config["hooks"] = {kind: [hook(kind, "" if kind == "startContainer" else lab.rootfs)] for kind in KINDS}
    return lab


def test_each_hook_has_its_time(lab: Lab, listening: Lab) -> None:
    lab.create(*HOLD)
    assert order(lab) == ON_CREATE
    lab.start()
    assert order(lab) == TIMED[:-1]
    lab.call("kill", lab.id, "KILL")
    lab.wait_stopped()
    assert order(lab) == TIMED[:-1]
    lab.call("delete", lab.id)
    assert order(lab) == TIMED


def test_run_calls_them_all(lab: Lab, listening: Lab) -> None:
    lab.run("sh", "-c", "exit 0")
    assert sorted(lab.read("order").split()) == sorted(KINDS)
    assert order(lab) == TIMED


def test_poststart_hooks_run_when_the_program_does(lab: Lab, listening: Lab) -> None:
    if lab.is_runc:
        pytest.skip("runc runs them when it creates the container")
    lab.create(*HOLD)
    assert "poststart" not in lab.read("order")
    lab.start()
    assert lab.read("order").split() == KINDS[:-1]
    assert told(lab, "poststart")["status"] == "running"


def test_hooks_get_the_state(lab: Lab, listening: Lab) -> None:
    lab.config["annotations"] = {"org.example.colour": "green"}
    lab.create(*HOLD)
    pid = lab.pid()
    lab.start()
    lab.call("delete", "--force", lab.id)
    for kind in KINDS:
        state = told(lab, kind)
        assert (state["id"], state["bundle"]) == (lab.id, lab.bundle)
        assert state["annotations"] == {"org.example.colour": "green"}
    assert {told(lab, kind)["pid"] for kind in ("prestart", "createRuntime", "poststart")} == {pid}
    assert told(lab, "poststop")["status"] == "stopped"


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_hook_that_fails_while_creating_ends_the_container(lab: Lab, kind: str) -> None:
    lab.config["hooks"] = {kind: [shell("echo a reason >&2; exit 3"), shell(f"echo second > {lab.rootfs}/second")]}
    lab.write(*HOLD)
    assert lab.refusal("create", "--bundle", lab.bundle, lab.id)
    assert not lab.exists()
    assert lab.read("second") == ""


def test_a_poststop_hook_that_fails_does_not_keep_the_container(lab: Lab) -> None:
    lab.config["hooks"] = {"poststop": [shell("exit 3")]}
    lab.detach("true")
    lab.wait_stopped()
    lab.call("delete", lab.id)
    assert not lab.exists()


def test_a_hook_has_only_its_own_environment(lab: Lab) -> None:
    hook = shell(f"env > {lab.rootfs}/seen", env=["PATH=/bin", "OF=hook"])
    lab.config["hooks"] = {"createRuntime": [hook]}
    lab.create(*HOLD)
    names = {line.partition("=")[0] for line in lab.read("seen").splitlines()}
    assert "OF=hook" in lab.read("seen").splitlines()
    assert names <= {"PATH", "OF", "PWD", "SHLVL", "_", "OLDPWD"}


def test_a_hook_that_takes_too_long_is_killed(lab: Lab) -> None:
    lab.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "300"], "timeout": 1}]}
    lab.write(*HOLD)
    assert lab.refusal("create", "--bundle", lab.bundle, lab.id)
    assert not lab.exists()
