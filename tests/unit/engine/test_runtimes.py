import json
import os
from pathlib import Path
from typing import Any

import pytest

from sampan import errors
from sampan.api.wire.host import HostConfig
from sampan.api.wire.mount import BindOptions, Mount
from sampan.engine.runtimes import Runtime, Runtimes, located, probe_features

CRUN, RUNC = Runtime("/opt/crun", ("--debug",)), Runtime("runc")
KNOWS_RRO = json.dumps({"mountOptions": ["ro", "rro"]})


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    os.chmod(path, mode)
    return str(path)


def spec() -> dict[str, Any]:
    return {
        "process": {"args": ["sleep", "9"]},
        "mounts": [{"destination": "/x", "options": ["rbind", "rro"]}, {"destination": "/proc"}],
    }


def test_names_find_what_was_configured_and_an_empty_one_the_default() -> None:
    found = Runtimes({"crun": CRUN}, default="crun")
    assert found.find("crun") == found.find("") == CRUN
    assert found.find("sampan") is None
    assert Runtimes().find("") is None


@pytest.mark.parametrize("name", ["runc", "io.containerd.runc.v2"])
def test_dockers_own_names_mean_our_runtime_unless_runc_is_configured(name: str) -> None:
    assert Runtimes({"crun": CRUN}).find(name) is None
    assert Runtimes({"runc": RUNC}).find(name) == RUNC


def test_another_name_is_refused_in_dockers_words() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"^unknown or invalid runtime name: nosuch$"):
        Runtimes({"crun": CRUN}).find("nosuch")


def test_a_shim_is_told_the_path_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path / "rt", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = Runtimes({"a": Runtime("rt", ("--x",)), "b": Runtime(path)})
    assert found.program("a") == {"path": path, "args": ["--x"]}
    assert found.program("b") == {"path": path, "args": []}
    assert found.program("sampan") is None


@pytest.mark.parametrize(
    ("program", "reason", "code"),
    [
        ("no-such-runtime", 'exec: "no-such-runtime": executable file not found in $PATH', 127),
        ("/nonexistent/rt", 'exec: "/nonexistent/rt": stat /nonexistent/rt: no such file or directory', 127),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied', 126),
    ],
)
def test_a_program_that_is_not_there_fails_the_start(program: str, reason: str, code: int) -> None:
    with pytest.raises(errors.StartFailed) as caught:
        located(program)
    assert str(caught.value).startswith("failed to create task for container: ")
    assert str(caught.value).endswith(f"OCI runtime create failed: {reason}")
    assert caught.value.exit_code == code


def test_recursively_read_only_becomes_read_only_for_who_does_not_know_it() -> None:
    found = spec()
    Runtimes({"crun": CRUN}).fit(found, HostConfig(runtime="crun"))
    assert found["mounts"][0]["options"] == ["rbind", "ro"]
    found = spec()
    Runtimes({"runc": RUNC}, features={"runc": KNOWS_RRO}).fit(found, HostConfig(runtime="io.containerd.runc.v2"))
    assert found["mounts"][0]["options"] == ["rbind", "rro"]


@pytest.mark.parametrize(
    ("features", "reason"), [({}, ": OCI features struct is not available"), ({"crun": '{"mountOptions":[]}'}, "")]
)
def test_who_insists_on_recursively_read_only_is_refused(features: dict[str, str], reason: str) -> None:
    mount = Mount(type="bind", source="/h", target="/x", bind_options=BindOptions(read_only_force_recursive=True))
    with pytest.raises(errors.InvalidArgument) as caught:
        Runtimes({"crun": CRUN}, features=features).fit(spec(), HostConfig(runtime="crun", mounts=[mount]))
    assert str(caught.value) == f'rro is not supported by runtime "crun"{reason}'


def test_init_is_mounted_and_run_first(tmp_path: Path) -> None:
    path, found = script(tmp_path / "init", ""), spec()
    Runtimes({"crun": CRUN}, init_path=path).fit(found, HostConfig(runtime="crun", init=True))
    assert found["process"]["args"] == ["/sbin/docker-init", "--", "sleep", "9"]
    assert found["mounts"][-1] == {
        "destination": "/sbin/docker-init",
        "type": "bind",
        "source": path,
        "options": ["bind", "ro"],
    }


def test_without_a_pid_namespace_there_is_no_init_and_a_missing_one_is_dockers_error() -> None:
    found, runtimes = spec(), Runtimes({"crun": CRUN}, init_path="no-such-init")
    runtimes.fit(found, HostConfig(runtime="crun", init=True, pid_mode="host"))
    assert found["process"]["args"] == ["sleep", "9"]
    with pytest.raises(errors.Internal, match=r'^exec: "no-such-init": executable file not found in \$PATH$'):
        runtimes.fit(found, HostConfig(runtime="crun", init=True))


def test_features_are_asked_for_with_the_runtimes_own_arguments(tmp_path: Path) -> None:
    path = script(tmp_path / "rt", """[ "$*" = "--x features" ] && echo '{"a":  [1]}'""")
    assert probe_features(Runtime(path, ("--x",))) == '{"a":[1]}'


@pytest.mark.parametrize("text", ["exit 1", "echo not json"])
def test_a_runtime_that_does_not_tell_is_no_error(tmp_path: Path, text: str) -> None:
    assert probe_features(Runtime(script(tmp_path / "rt", text))) == ""
    assert probe_features(Runtime("/nonexistent/rt")) == ""
