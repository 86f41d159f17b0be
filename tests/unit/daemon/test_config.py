import json
from pathlib import Path
from typing import Any

import pytest

from sampan import __version__
from sampan.daemon.config import Config, Host, from_command_line, parse_host
from sampan.engine.runtimes import Runtime
from sampan.errors import InvalidArgument


def settings(tmp_path: Path, file: Any, *flags: str) -> Config:
    path = tmp_path / "daemon.json"
    path.write_text(file if isinstance(file, str) else json.dumps(file))
    return from_command_line(["--config-file", str(path), *flags]).config


def test_flags_mean_what_they_mean_to_dockerd(tmp_path: Path) -> None:
    flags = "-H unix:///x.sock -H tcp://127.0.0.1:2375 --data-root /d/ --exec-root /e -p /p"
    flags += " -l warn -b br0 --bip 10.1.0.1/24"
    found = settings(tmp_path, {}, *flags.split())
    assert found == Config(
        hosts=("unix:///x.sock", "tcp://127.0.0.1:2375"),
        data_root="/d",
        exec_root="/e",
        pidfile="/p",
        log_level="warn",
        bridge="br0",
        bip="10.1.0.1/24",
    )


def test_the_file_sets_what_no_flag_does(tmp_path: Path) -> None:
    found = settings(tmp_path, {"hosts": ["unix:///x.sock"], "debug": True, "mtu": 1400}, "--bridge", "br0")
    assert found == Config(hosts=("unix:///x.sock",), log_level="debug", mtu=1400, bridge="br0")


def test_a_setting_in_both_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument) as caught:
        settings(tmp_path, {"data-root": "/a", "hosts": ["unix:///a"]}, "--data-root", "/b", "-H", "unix:///b")
    assert str(caught.value) == (
        f"unable to configure the Sampan daemon with file {tmp_path}/daemon.json: the following directives are "
        "specified both as a flag and in the configuration file: data-root: (from flag: /b, from file: /a), "
        "hosts: (from flag: [unix:///b], from file: [unix:///a])"
    )


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("{", "unable to configure .* with file .*Expecting property name"),
        ("[]", "not a JSON object"),
        ({"foo": 1}, "don't match any configuration option: foo"),
        ({"mtu": "x"}, 'mtu: expected a number, got "x"'),
        ({"mtu": True}, "mtu: expected a number, got true"),
        ({"hosts": "unix:///x"}, "hosts: expected a list of strings"),
        ({"hosts": [1]}, "hosts: expected a list of strings"),
        ({"hosts": ["ftp://x"]}, "invalid protocol in host 'ftp://x'"),
        ({"hosts": []}, "no host to listen on"),
        ({"log-level": "loud"}, "invalid logging level: loud"),
        ({"bridge": "much-too-long-a-name"}, "invalid bridge name"),
        ({"mtu": 1}, "invalid default MTU: 1"),
        ({"runtimes": []}, r"runtimes: expected an object, got \[\]"),
        ({"runtimes": {"a": {}}}, "runtime a: either a runtimeType or a path must be configured"),
        ({"default-runtime": "nosuch"}, "specified default runtime 'nosuch' does not exist"),
        ({"no-new-privileges": 1}, "no-new-privileges: expected true or false, got 1"),
    ],
)
def test_a_wrong_file_is_refused_with_its_reason(tmp_path: Path, file: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        settings(tmp_path, file)


def test_runtimes_of_flags_and_file_are_one_set(tmp_path: Path) -> None:
    file = {"runtimes": {"a": {"path": "/a", "runtimeArgs": ["x"]}}, "default-runtime": "b"}
    found = settings(tmp_path, file, "--add-runtime", "b=/b", "--add-runtime", "c=c")
    assert found.runtimes == {"a": Runtime("/a", ("x",)), "b": Runtime("/b"), "c": Runtime("c")}
    assert found.default_runtime == "b"
    with pytest.raises(InvalidArgument, match="runtime 'a' was already defined"):
        settings(tmp_path, file, "--add-runtime", "a=/b", "--add-runtime", "b=/b")


def test_the_default_runtime_is_ours_or_one_of_the_others(tmp_path: Path) -> None:
    assert settings(tmp_path, {}).default_runtime == "sampan"
    assert settings(tmp_path, {"default-runtime": ""}).default_runtime == "sampan"
    assert settings(tmp_path, {}, "--default-runtime", "runc").default_runtime == "runc"


def test_security_settings_are_kept_for_those_who_apply_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = {"no-new-privileges": True, "selinux-enabled": True, "userns-remap": "default", "init-path": "tini"}
    found = settings(tmp_path, file, "--seccomp-profile", "profile.json")
    assert (found.no_new_privileges, found.selinux_enabled, found.userns_remap) == (True, True, "default")
    assert (found.seccomp_profile, found.init_path) == (str(tmp_path / "profile.json"), "tini")
    flags = "--no-new-privileges --userns-remap 1000:1000 --seccomp-profile unconfined --init-path /sbin/tini".split()
    found = settings(tmp_path, {}, *flags)
    assert (found.no_new_privileges, found.selinux_enabled, found.userns_remap) == (True, False, "1000:1000")
    assert (found.seccomp_profile, found.init_path) == ("unconfined", "/sbin/tini")


def test_a_file_that_is_named_must_exist() -> None:
    with pytest.raises(InvalidArgument, match="open /nonexistent: no such file or directory"):
        from_command_line(["--config-file", "/nonexistent"])


def test_a_wrong_flag_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="unrecognized arguments: --foo"):
        from_command_line(["--foo"])


def test_version_and_validation_only_print(tmp_path: Path) -> None:
    assert from_command_line(["--version"]).text == f"Sampan version {__version__}"
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    assert from_command_line(["--validate", "--config-file", str(path)]).text == "configuration OK"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("unix:///x.sock", Host(path="/x.sock")),
        ("unix://", Host(path="/var/run/sampan.sock")),
        ("/x.sock", Host(path="/x.sock")),
        ("tcp://127.0.0.1:99", Host(address="127.0.0.1", port=99)),
        ("tcp://[::1]:99", Host(address="::1", port=99)),
        ("tcp://", Host(address="127.0.0.1", port=2375)),
    ],
)
def test_hosts_are_sockets_or_addresses(text: str, host: Host) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize("text", ["unix://rel", "unix:///" + "x" * 200, "tcp://a:b", "tcp://a:0", "npipe://x"])
def test_other_hosts_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_host(text)
