"""sampand as a program: flags, configuration file, signals, two of them side by side."""

import json
import os
import stat
import subprocess

import pytest

from support.engine import import_image
from support.frontend import Frontend, program
from support.sampand import Sampand

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_busybox,
    pytest.mark.needs_sampand,
]


def test_two_daemons_run_side_by_side(daemon: Sampand) -> None:
    other = Sampand()
    daemon.start()
    try:
        other.start()
        for each in (daemon, other):
            import_image(each.api, "base:1")
            each.api.started("base:1", "sleep", "60", name="same-name")
        addresses = [
            each.api.inspect("same-name")["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
            for each in (daemon, other)
        ]
        assert [address.split(".")[2] for address in addresses] == [str(daemon.number), str(other.number)]
        daemon.remove_containers()
        assert other.api.inspect("same-name")["State"]["Running"]
    finally:
        other.destroy()


def test_pidfile_and_socket_come_and_go_with_the_daemon(daemon: Sampand) -> None:
    daemon.start()
    pidfile = os.path.join(daemon.folder, "sampand.pid")
    with open(pidfile) as file:
        assert int(file.read()) == daemon.pid
    mode = os.stat(daemon.socket_path).st_mode
    assert stat.S_ISSOCK(mode) and not mode & 0o007
    daemon.stop()
    assert not os.path.exists(pidfile) and not os.path.exists(daemon.socket_path)


def test_a_second_daemon_on_the_same_roots_is_refused(daemon: Sampand) -> None:
    daemon.start()
    argv = [program("sampand"), "--data-root", daemon.data_root, "--exec-root", daemon.exec_root]
    argv += ["--host", f"unix://{daemon.folder}/second.sock", "--bridge", daemon.bridge]
    argv += ["--pidfile", os.path.join(daemon.folder, "second.pid")]
    second = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode != 0 and second.stderr
    assert daemon.api.is_up()


def test_several_hosts_and_a_configuration_file(daemon: Sampand, tmp_path) -> None:
    second = os.path.join(daemon.folder, "two.sock")
    (tmp_path / "daemon.json").write_text(json.dumps({"labels": ["from=file"]}))
    daemon.flags = ("--host", f"unix://{second}", "--config-file", str(tmp_path / "daemon.json"))
    daemon.start()
    assert Frontend("sampan", second)("version", "--format", "{{.Server.ApiVersion}}") == "1.51"
    assert daemon.api("GET", "/info")["Labels"] == ["from=file"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--no-such-flag"],
        ["--log-level", "loud"],
        ["--host", "gopher://x"],
        ["--bip", "not-an-address"],
        ["--config-file", "/nonexistent/daemon.json"],
    ],
)
def test_bad_flags_end_it_at_once_with_a_message(flags: list[str], tmp_path) -> None:
    argv = [program("sampand"), "--data-root", str(tmp_path / "d"), "--exec-root", str(tmp_path / "e"), *flags]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0 and ended.stderr.strip()
    assert "Traceback" not in ended.stderr
