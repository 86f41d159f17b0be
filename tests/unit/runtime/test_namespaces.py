import os

import pytest

from sampan.linux import constants as c
from sampan.runtime.namespaces import USUAL_FLAGS, USUALLY_JOINED, Namespaces, join


def of(*kinds: str, **paths: str) -> Namespaces:
    return Namespaces(
        [{"type": kind} for kind in kinds] + [{"type": kind, "path": path} for kind, path in paths.items()]
    )


def test_only_some_of_the_usual_namespaces_are_a_flag_of_birth() -> None:
    usual = of("mount", "network", "uts", "pid", "ipc", "cgroup")
    assert usual.at_birth == USUAL_FLAGS == c.CLONE_NEWPID | c.CLONE_NEWUTS | c.CLONE_NEWIPC
    assert of("pid", "mount").at_birth == c.CLONE_NEWPID
    assert Namespaces(None).at_birth == 0


def test_a_user_namespace_or_a_foreign_pid_namespace_needs_a_second_birth() -> None:
    assert of("user", "pid").is_reborn and of("user", "pid").at_birth == 0
    assert of(user="/proc/1/ns/user").is_reborn
    assert of("mount", pid="/proc/1/ns/pid").is_reborn
    assert not of("mount", "pid", network="/proc/1/ns/net").is_reborn


def test_the_user_and_time_namespaces_are_joined_only_where_they_are_the_containers() -> None:
    assert of("pid").joined == USUALLY_JOINED
    assert of("user").joined == USUALLY_JOINED | c.CLONE_NEWUSER
    assert of(time="/x").joined == USUALLY_JOINED | c.CLONE_NEWTIME
    assert of("user").in_user_namespace and not of("pid").in_user_namespace


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        of("moon")


def test_paths_are_opened_and_a_missing_one_is_named() -> None:
    fds = of(uts="/proc/self/ns/uts").open()
    assert list(fds) == ["uts"]
    os.close(fds["uts"])
    with pytest.raises(FileNotFoundError, match="/nowhere"):
        of(uts="/nowhere").open()


def test_joining_takes_only_the_named_kinds() -> None:
    fds = {"uts": os.open("/dev/null", os.O_RDONLY)}
    join(fds, "ipc", "network")
    assert "uts" in fds
    with pytest.raises(OSError):
        join(fds, "uts")  # no namespace, and closed all the same
    assert fds == {}
