from pathlib import Path

import pytest

from sampan.api.wire.host import HostConfig
from sampan.engine import apparmor
from sampan.errors import Internal


@pytest.mark.parametrize(
    ("options", "privileged", "expected"),
    [
        (None, False, "sampan-default"),
        (None, True, "unconfined"),
        (["apparmor=unconfined"], False, "unconfined"),
        (["apparmor=mine"], False, "mine"),
        (["apparmor=mine"], True, "mine"),
        (["apparmor:mine"], False, "mine"),
        (["apparmor=a", "apparmor=b"], False, "b"),
        (["apparmor=docker-default"], True, "sampan-default"),
        (["apparmor="], False, "sampan-default"),
        (["label=disable", "no-new-privileges"], False, "sampan-default"),
    ],
)
def test_a_container_has_the_profile_it_asks_for_or_the_default_one(
    options: list[str] | None, privileged: bool, expected: str
) -> None:
    host = HostConfig(security_opt=options, privileged=privileged)
    assert apparmor.profile_of(host, is_enabled=True) == expected
    assert apparmor.profile_of(host, is_enabled=False) == ""


@pytest.mark.parametrize(
    ("context", "name"),
    [
        ("unconfined\n", "unconfined"),
        ("sampan-default (enforce)\n", "sampan-default"),
        ("with blanks (and more) (complain)\n", "with blanks (and more)"),
        ("bare", "bare"),
        ("", ""),
    ],
)
def test_a_name_is_told_from_its_mode(context: str, name: str) -> None:
    assert apparmor.profile_name(context) == name


def test_a_loaded_profile_is_found_by_its_whole_name(tmp_path: Path) -> None:
    listing = tmp_path / "profiles"
    listing.write_text("sampan-default-2 (enforce)\n")
    assert not apparmor.is_loaded(listing=str(listing))
    listing.write_text("/usr/bin/man (enforce)\nsampan-default (enforce)\n")
    assert apparmor.is_loaded(listing=str(listing))
    assert not apparmor.is_loaded(listing=str(tmp_path / "none"))


def test_the_profile_uses_of_the_machines_abstractions_what_there_is(tmp_path: Path) -> None:
    bare = apparmor.profile_text(daemon="", includes=str(tmp_path))
    assert "@{PROC}=/proc/" in bare and "include" not in bare and "abi <" not in bare
    for path in ("abi/3.0", "tunables/global", "abstractions/base"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    full = apparmor.profile_text(daemon="", includes=str(tmp_path))
    for line in ("abi <abi/3.0>,", "include <tunables/global>", "  include <abstractions/base>"):
        assert line in full.splitlines()
    assert "@{PROC}=" not in full


def test_the_daemon_may_signal_its_containers() -> None:
    assert '  signal (receive) peer="my daemon",' in apparmor.profile_text(daemon="my daemon").splitlines()
    assert '  signal (receive) peer="unconfined",' in apparmor.profile_text(daemon="").splitlines()


def test_a_parser_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apparmor, "_PARSER", "/does/not/exist/apparmor_parser")
    with pytest.raises(Internal, match="AppArmor enabled on system but the sampan-default profile could not be loaded"):
        apparmor.load()


def test_what_the_parser_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = tmp_path / "parser"
    parser.write_text("#!/bin/sh\ncat >/dev/null\necho syntax error >&2\nexit 1\n")
    parser.chmod(0o755)
    monkeypatch.setattr(apparmor, "_PARSER", str(parser))
    with pytest.raises(Internal, match="failed with output: syntax error"):
        apparmor.load()


def test_the_profile_goes_to_the_parser_as_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = tmp_path / "parser"
    parser.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/args\ncat >{tmp_path}/text\n')
    parser.chmod(0o755)
    monkeypatch.setattr(apparmor, "_PARSER", str(parser))
    apparmor.load()
    assert (tmp_path / "args").read_text() == "-Kr\n"
    assert 'profile "sampan-default" flags=' in (tmp_path / "text").read_text()
