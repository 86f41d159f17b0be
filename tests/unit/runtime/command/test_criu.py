import os
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import InvalidArgument, NotFound
from sampan.runtime.command import criu
from sampan.runtime.command.context import Context
from sampan.runtime.command.options import Options, parse
from sampan.runtime.command.store import Container

Make = Callable[..., Container]


def given(words: str) -> Options:
    return parse(criu.FLAGS, words.split(), in_order=False)


def test_criu_is_looked_for_on_the_path(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"/nowhere:{tmp_path}")
    with pytest.raises(NotFound, match="need CRIU: criu: executable file not found"):
        criu.find("criu")
    (tmp_path / "criu").touch(mode=0o755)
    assert criu.find("criu") == f"{tmp_path}/criu"
    assert criu.find(f"{tmp_path}/criu") == f"{tmp_path}/criu"
    with pytest.raises(NotFound):
        criu.find("/nowhere/criu")


def test_options_are_passed_on(make: Make) -> None:
    container = make("one", spec={"annotations": {"org.criu.config": ""}})
    words = criu.common_words(container, given("--tcp-established --file-locks --manage-cgroups-mode full"))
    assert words == ["-v4", "--manage-cgroups=full", "--evasive-devices", "--tcp-established", "--file-locks"]


def test_a_network_of_its_own_is_left_empty(make: Make) -> None:
    spec = {"linux": {"namespaces": [{"type": "network"}]}}
    assert criu.common_words(make("one", spec=spec), given(""))[3:5] == ["--empty-ns", "net"]


@pytest.mark.parametrize(
    ("words", "message"),
    [("--manage-cgroups-mode all", "Invalid manage-cgroups-mode: all"), ("--empty-ns pid", "'pid' is not supported")],
)
def test_what_criu_does_not_know_is_refused(make: Make, words: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        criu.common_words(make("one"), given(words))


def test_a_config_of_the_containers_own_is_used(make: Make, tmp_path: Any) -> None:
    path = tmp_path / "criu.conf"
    path.touch()
    words = criu.common_words(make("one", spec={"annotations": {"org.criu.config": str(path)}}), given(""))
    assert words[-2:] == ["--config", str(path)]


def test_directories_are_made_or_must_be_there(tmp_path: Any) -> None:
    options = given(f"--image-path {tmp_path}/i --work-path {tmp_path}/w")
    with pytest.raises(NotFound, match="invalid directory"):
        criu.directories(options, make=False)
    words = criu.directories(options, make=True)
    assert words == ["--images-dir", f"{tmp_path}/i", "--work-dir", f"{tmp_path}/w"]
    assert criu.directories(options, make=False) == words
    assert criu.log_path(words, "x.log") == f"{tmp_path}/w/x.log"
    assert criu.log_path(words[:2], "x.log") == f"{tmp_path}/i/x.log"


def test_what_is_bound_from_the_host_is_external(make: Make, bundle: str) -> None:
    os.mkdir(f"{bundle}/rootfs/real")
    os.symlink("real", f"{bundle}/rootfs/link")
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/link", "type": "bind", "source": "/host"},
        {"destination": "/missing/../x", "options": ["rbind"], "source": "below"},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"},
    ]
    container = make("one", spec={"mounts": mounts, "linux": {"devices": [{"path": "/dev/fuse"}]}})
    assert criu.external_mounts(container) == {"/real": "/host", "/x": f"{bundle}/below", "/dev/fuse": "/dev/fuse"}


def test_cgroups_are_external_unless_they_are_mounted_anew(make: Make, cgroup: Any) -> None:
    mounts = [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}]
    cgroup.version, cgroup.folders = 1, {"cpu": "/c/x", "cpuacct": "/c/x", "pids": "/p/x"}
    one = make("one", spec={"mounts": mounts}, cgroup_manager="cgroupfs")
    os.mkdir(one.rootfs)
    assert criu.external_mounts(one) == {"/sys/fs/cgroup/cpu,cpuacct": "/c/x", "/sys/fs/cgroup/pids": "/p/x"}
    cgroup.version, cgroup.folders = 2, {"": "/u/x"}
    assert criu.external_mounts(one) == {"/sys/fs/cgroup": "/u/x"}
    spec = {"mounts": mounts, "linux": {"namespaces": [{"type": "cgroup"}]}}
    assert criu.external_mounts(make("two", spec=spec, cgroup_manager="cgroupfs")) == {}


def test_namespaces_are_own_or_joined(make: Make) -> None:
    spec = {"linux": {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/n"}]}}
    assert criu.new_namespaces(spec) == {"pid"}
    assert criu.joined_namespaces(spec) == {"network": "/n"}


def test_terminals_are_out_of_reach(context: Context, make: Make) -> None:
    with pytest.raises(InvalidArgument, match="with a terminal cannot"):
        criu.check_possible(context, make("one", spec={"process": {"terminal": True}}))
    criu.check_possible(context, make("two"))


def test_a_failure_brings_the_errors_of_the_log(tmp_path: Any) -> None:
    (tmp_path / "log").write_text("(0.1) fine\n(0.2) Error (criu/x.c:1): no luck\n")
    text = str(criu.failure("dump", 256, f"{tmp_path}/log"))
    assert text == f"criu failed: dump: exit status 1\nlog file: {tmp_path}/log\n(0.2) Error (criu/x.c:1): no luck"
    assert str(criu.failure("dump", 9, "/nowhere")) == "criu failed: dump: exit status -9\nlog file: /nowhere"
