"""A process gets the environment and the privileges that Docker would give it."""

import dataclasses
from typing import Any

import msgspec
import pytest

from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.exec import ExecConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.engine.containers.record import ContainerRecord
from sampan.engine.host import HostFacts
from sampan.engine.process import (
    DEFAULT_CAPABILITIES,
    DEFAULT_PATH,
    container_process,
    exec_process,
    granted,
    has_no_new_privileges,
    replace_env,
)
from sampan.linux.capabilities import NAMES

FACTS = HostFacts(hostname="vm")


def record(*, host: dict[str, Any] | None = None, **config: Any) -> ContainerRecord:
    return ContainerRecord(
        id="c",
        name="name",
        created_ns=1,
        image_id="sha256:0",
        path="sh",
        args=["-c", "true"],
        config=msgspec.convert({"Hostname": "box", **config}, ContainerConfig),
        host=msgspec.convert(host or {}, HostConfig),
        networking=NetworkingConfig(),
        mounts=[],
    )


def host(**options: Any) -> HostConfig:
    return msgspec.convert(options, HostConfig)


def test_the_environment_starts_with_dockers_defaults() -> None:
    assert container_process(record(), FACTS)["env"] == [DEFAULT_PATH, "HOSTNAME=box"]
    found = container_process(record(Tty=True, Env=["PATH=/bin", "A=b"]), FACTS)
    assert found["env"] == ["PATH=/bin", "HOSTNAME=box", "TERM=xterm", "A=b"]


def test_a_variable_without_a_value_takes_a_default_away() -> None:
    assert replace_env(["A=1", "B=2"], ["A", "C", "B=3=4"]) == ["B=3=4"]


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        ([], [], DEFAULT_CAPABILITIES),
        (["NET_ADMIN"], ["chown"], [*DEFAULT_CAPABILITIES[1:], "CAP_NET_ADMIN"]),
        (["CAP_CHOWN"], [], DEFAULT_CAPABILITIES),
        (["SYS_TIME"], ["ALL"], ["CAP_SYS_TIME"]),
        ([], ["all"], []),
        (["ALL"], ["CAP_SYS_ADMIN"], [name for name in NAMES if name != "CAP_SYS_ADMIN"]),
    ],
)
def test_capabilities_are_added_and_dropped(add: list[str], drop: list[str], expected: list[str]) -> None:
    assert granted(host(CapAdd=add, CapDrop=drop), FACTS) == expected


def test_a_privileged_container_has_what_the_daemon_has() -> None:
    facts = HostFacts(hostname="vm", capabilities=frozenset({"CAP_CHOWN", "CAP_KILL"}))
    assert granted(host(Privileged=True), facts) == ["CAP_CHOWN", "CAP_KILL"]


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("no-new-privileges", True),
        ("no-new-privileges:true", True),
        ("no-new-privileges=false", False),
        ("seccomp=unconfined", False),
    ],
)
def test_no_new_privileges_is_an_option_in_three_spellings(option: str, expected: bool) -> None:
    assert has_no_new_privileges(host(SecurityOpt=[option]), FACTS) is expected


def test_the_daemons_setting_is_for_who_does_not_say() -> None:
    strict = dataclasses.replace(FACTS, no_new_privileges=True)
    assert has_no_new_privileges(host(), strict)
    assert has_no_new_privileges(host(SecurityOpt=["seccomp=unconfined"]), strict)
    assert not has_no_new_privileges(host(SecurityOpt=["no-new-privileges=false"]), strict)


def test_limits_and_size_are_passed_on() -> None:
    options = {"Ulimits": [{"Name": "nofile", "Hard": 200, "Soft": 100}], "ConsoleSize": [24, 80]}
    found = container_process(record(host=options, Tty=True), FACTS)
    assert found["rlimits"] == [{"type": "RLIMIT_NOFILE", "hard": 200, "soft": 100}]
    assert found["consoleSize"] == {"height": 24, "width": 80}
    assert "consoleSize" not in container_process(record(host=options), FACTS)


def test_an_exec_adds_to_the_containers_environment_and_may_be_privileged() -> None:
    container = record(host={"CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"]}, Env=["A=1"], WorkingDir="/w")
    plain = exec_process(container, ExecConfig(cmd=["id"], env=["B=2"], tty=True), FACTS)
    assert plain["env"] == [DEFAULT_PATH, "HOSTNAME=box", "TERM=xterm", "A=1", "B=2"]
    assert (plain["cwd"], plain["args"], plain["terminal"]) == ("/w", ["id"], True)
    assert plain["capabilities"]["bounding"] == []
    assert plain["noNewPrivileges"]
    mighty = exec_process(container, ExecConfig(cmd=["id"], privileged=True, working_dir="/x"), FACTS)
    assert mighty["capabilities"]["effective"] == NAMES
    assert mighty["cwd"] == "/x"
    assert not mighty["noNewPrivileges"]


def test_apparmor_confines_the_container_and_its_execs_where_there_is_one() -> None:
    facts = dataclasses.replace(FACTS, has_apparmor=True)
    container = record(host={"SecurityOpt": ["apparmor=mine"]})
    assert container_process(container, facts)["apparmorProfile"] == "mine"
    assert exec_process(container, ExecConfig(cmd=["id"], privileged=True), facts)["apparmorProfile"] == "mine"
    assert "apparmorProfile" not in container_process(container, FACTS)
    assert container_process(record(), facts)["apparmorProfile"]
